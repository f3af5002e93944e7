using Myna.Host;

namespace Myna.Host.Tests;

public sealed class MemoryTests
{
    [Fact]
    public void Shared_memory_is_zero_keeps_what_is_written_and_forgets_what_is_discarded()
    {
        using IDisposable owner = new SharedMemory("test", 1 << 20);
        var memory = (SharedMemory)owner;
        Assert.Equal(-1, memory.Slice(0, 1 << 20).IndexOfAnyExcept((byte)0));
        memory.Slice(4096, 8192).Fill(0xAB);
        Assert.Equal(0xAB, memory.SliceMemory(8191, 1).Span[0]);
        memory.Discard(4096, 4096);
        Assert.Equal(0, memory.Slice(8191, 1)[0]);
        Assert.Equal(0xAB, memory.Slice(8192, 1)[0]);
    }

    [Theory]
    [InlineData(0UL, -1)]
    [InlineData(0UL, 4097)]
    [InlineData(4096UL, 1)]
    [InlineData(4095UL, 2)]
    [InlineData(ulong.MaxValue, 1)]
    public void Shared_memory_hands_out_nothing_outside_itself(ulong offset, int length)
    {
        using IDisposable owner = new SharedMemory("test", 4096);
        var memory = (SharedMemory)owner;
        Assert.Throws<ArgumentOutOfRangeException>(() => { _ = memory.Slice(offset, length); });
        Assert.Throws<ArgumentOutOfRangeException>(() => { _ = memory.SliceMemory(offset, length); });
    }

    [Fact]
    public void A_window_above_two_gigabytes_is_the_memory_there()
    {
        using IDisposable owner = new SharedMemory("test", 3UL << 30);
        var memory = (SharedMemory)owner;
        const ulong high = (2UL << 30) + 123;
        memory.SliceMemory(high, 4).Span.Fill(7);
        Assert.Equal([7, 7, 7, 7, 0], memory.Slice(high, 5).ToArray());
    }

    [Fact]
    public void A_native_block_is_aligned_zero_and_bounded()
    {
        using var block = new NativeBlock(8192);
        Assert.Equal(0, block.Address & 4095);
        Assert.Equal(-1, block.Span<byte>(0, 8192).IndexOfAnyExcept((byte)0));
        block.At<ulong>(8184) = 5;
        Assert.Equal(5UL, block.Span<ulong>(8184, 1)[0]);
        Assert.Throws<ArgumentOutOfRangeException>(() => block.At<ulong>(8185));
        Assert.Throws<ArgumentOutOfRangeException>(() => block.At<ulong>(-8));
        Assert.Throws<ArgumentOutOfRangeException>(() => { _ = block.Span<ulong>(0, 1025); });
    }
}
