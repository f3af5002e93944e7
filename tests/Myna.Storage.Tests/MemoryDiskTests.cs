using Myna.Hardware.Backends;

namespace Myna.Storage.Tests;

public sealed class MemoryDiskTests
{
    [Fact]
    public async Task It_is_a_disk()
    {
        var disk = new MemoryDisk(4096);
        byte[] a = [.. Enumerable.Repeat((byte)1, 512)], b = [.. Enumerable.Repeat((byte)2, 1024)];
        Assert.Equal(BlockStatus.Ok, await disk.WriteAsync(512, [a, b]));
        Assert.Equal(BlockStatus.Ok, await disk.WriteZeroesAsync(1024, 512, unmap: false));
        byte[] back = new byte[4096];
        Assert.Equal(BlockStatus.Ok, await disk.ReadAsync(0, [back.AsMemory(0, 1000), back.AsMemory(1000)]));
        for (int i = 0; i < 4096; i++)
            Assert.Equal((i / 512) switch { 1 => 1, 3 => 2, _ => 0 }, back[i]);
        Assert.Equal(BlockStatus.OutOfRange, await disk.ReadAsync(4096, [new byte[512]]));
        Assert.Equal(BlockStatus.OutOfRange, await disk.WriteAsync(3584, [new byte[1024]]));
        Assert.Equal(BlockStatus.OutOfRange, await disk.DiscardAsync(ulong.MaxValue, 512));
        Assert.Equal(BlockStatus.ReadOnly, await new MemoryDisk(512, readOnly: true).WriteAsync(0, [new byte[512]]));
        Assert.Throws<ArgumentOutOfRangeException>(() => new MemoryDisk(1000));
    }
}
