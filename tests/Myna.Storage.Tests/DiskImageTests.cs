using Myna.Hardware.Backends;

namespace Myna.Storage.Tests;

public sealed class DiskImageTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("myna-storage").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task What_is_written_is_read_back_and_in_the_file()
    {
        string path = NewFile("disk", 1 << 20);
        IBlockBackend disk = DiskImage.Open(path);
        byte[] a = Pattern(4096, 1), b = Pattern(512, 2);
        Assert.Equal(BlockStatus.Ok, await disk.WriteAsync(8192, [a, b]));
        byte[] x = new byte[512], y = new byte[4096];
        Assert.Equal(BlockStatus.Ok, await disk.ReadAsync(8192, [x, y]));
        Assert.Equal([.. a, .. b], [.. x, .. y]);
        Assert.Equal(BlockStatus.Ok, await disk.FlushAsync());
        Assert.Equal(1UL << 20, disk.Length);
        ((IDisposable)disk).Dispose();
        Assert.Equal([.. a, .. b], File.ReadAllBytes(path).AsSpan(8192, 4608).ToArray());
    }

    [Fact]
    public async Task Many_buffers_go_in_one_request()
    {
        IBlockBackend disk = DiskImage.Open(NewFile("disk", 4 << 20));
        byte[] all = Pattern(1500 * 512, 3);
        var pieces = new List<ReadOnlyMemory<byte>>();
        for (int i = 0; i < 1500; i++)
            pieces.Add(all.AsMemory(i * 512, 512));
        Assert.Equal(BlockStatus.Ok, await disk.WriteAsync(512, pieces));
        byte[] back = new byte[all.Length];
        var targets = new List<Memory<byte>>();
        for (int i = 0; i < 1500; i++)
            targets.Add(back.AsMemory(i * 512, 512));
        Assert.Equal(BlockStatus.Ok, await disk.ReadAsync(512, targets));
        Assert.Equal(all, back);
        ((IDisposable)disk).Dispose();
    }

    [Fact]
    public async Task A_length_that_is_not_whole_sectors_is_rounded_up_with_zeroes()
    {
        string path = NewFile("disk", 0);
        File.WriteAllBytes(path, Pattern(1000, 4));
        IBlockBackend disk = DiskImage.Open(path, readOnly: true);
        Assert.Equal(1024UL, disk.Length);
        byte[] a = [.. Enumerable.Repeat((byte)0xee, 512)], b = [.. a];
        Assert.Equal(BlockStatus.Ok, await disk.ReadAsync(0, [a, b]));
        Assert.Equal([.. Pattern(1000, 4), .. new byte[24]], [.. a, .. b]);
        byte[] tail = [.. Enumerable.Repeat((byte)0xee, 512)];
        Assert.Equal(BlockStatus.Ok, await disk.ReadAsync(512, [tail]));
        Assert.Equal([.. Pattern(1000, 4).AsSpan(512), .. new byte[24]], tail);
        ((IDisposable)disk).Dispose();
        Assert.Equal(1000, new FileInfo(path).Length);
    }

    [Fact]
    public async Task Requests_outside_the_disk_are_refused()
    {
        string path = NewFile("disk", 4096);
        IBlockBackend disk = DiskImage.Open(path);
        Assert.Equal(BlockStatus.OutOfRange, await disk.ReadAsync(4096, [new byte[512]]));
        Assert.Equal(BlockStatus.OutOfRange, await disk.WriteAsync(3584, [new byte[512], new byte[512]]));
        Assert.Equal(BlockStatus.OutOfRange, await disk.DiscardAsync(ulong.MaxValue - 511, 1024));
        Assert.Equal(BlockStatus.OutOfRange, await disk.WriteZeroesAsync(4096, 512, true));
        ((IDisposable)disk).Dispose();
        Assert.Equal(4096, new FileInfo(path).Length);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Zeroes_are_written_exactly_where_asked(bool unmap)
    {
        string path = NewFile("disk", 0);
        File.WriteAllBytes(path, Pattern(64 << 10, 5));
        IBlockBackend disk = DiskImage.Open(path);
        Assert.Equal(BlockStatus.Ok, await disk.WriteZeroesAsync(512, 9 * 1024, unmap));
        ((IDisposable)disk).Dispose();
        byte[] expected = Pattern(64 << 10, 5);
        expected.AsSpan(512, 9 * 1024).Clear();
        Assert.Equal(expected, File.ReadAllBytes(path));
    }

    [Fact]
    public async Task Discard_leaves_the_rest_alone()
    {
        string path = NewFile("disk", 0);
        File.WriteAllBytes(path, Pattern(64 << 10, 6));
        IBlockBackend disk = DiskImage.Open(path);
        Assert.Contains(await disk.DiscardAsync(4096, 8192), new[] { BlockStatus.Ok, BlockStatus.NotSupported });
        ((IDisposable)disk).Dispose();
        byte[] now = File.ReadAllBytes(path), before = Pattern(64 << 10, 6);
        Assert.Equal(before.AsSpan(0, 4096).ToArray(), now.AsSpan(0, 4096).ToArray());
        Assert.Equal(before.AsSpan(12288).ToArray(), now.AsSpan(12288).ToArray());
    }

    [Fact]
    public async Task A_read_only_disk_takes_no_writes()
    {
        IBlockBackend disk = DiskImage.Open(NewFile("disk", 4096), readOnly: true);
        Assert.True(disk.ReadOnly);
        Assert.Equal(BlockStatus.ReadOnly, await disk.WriteAsync(0, [new byte[512]]));
        Assert.Equal(BlockStatus.ReadOnly, await disk.DiscardAsync(0, 512));
        Assert.Equal(BlockStatus.ReadOnly, await disk.WriteZeroesAsync(0, 512, false));
        Assert.Equal(BlockStatus.Ok, await disk.FlushAsync());
        ((IDisposable)disk).Dispose();
    }

    [Fact]
    public void A_writer_excludes_everyone_else_readers_share()
    {
        string path = NewFile("disk", 4096);
        var writer = (IDisposable)DiskImage.Open(path);
        Assert.Contains("another machine", Assert.Throws<StorageException>(() => DiskImage.Open(path)).Message);
        Assert.Contains("another machine", Assert.Throws<StorageException>(() => DiskImage.Open(path, readOnly: true)).Message);
        writer.Dispose();
        using var one = (IDisposable)DiskImage.Open(path, readOnly: true);
        using var two = (IDisposable)DiskImage.Open(path, readOnly: true);
        Assert.Throws<StorageException>(() => DiskImage.Open(path));
    }

    [Fact]
    public void Errors_name_the_file()
    {
        string missing = Path.Combine(_folder, "missing");
        Assert.Contains($"{missing} does not exist", Assert.Throws<StorageException>(() => DiskImage.Open(missing)).Message);
        Assert.Contains("does not exist", Assert.Throws<StorageException>(() => DiskImage.Open(Path.Combine(_folder, "no", "disk"))).Message);
        Assert.Contains("directory", Assert.Throws<StorageException>(() => DiskImage.Open(_folder)).Message);
        Assert.Contains("empty", Assert.Throws<StorageException>(() => DiskImage.Open(NewFile("empty", 0))).Message);
        Assert.Throws<StorageException>(() => DiskImage.Open(""));
        Assert.Contains("no size", Assert.Throws<StorageException>(() => DiskImage.Open("/dev/null")).Message);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_pipe_is_refused_and_not_waited_for(bool readOnly)
    {
        string path = Path.Combine(_folder, "fifo");
        using (var mkfifo = System.Diagnostics.Process.Start("mkfifo", [path]))
            mkfifo.WaitForExit();
        Assert.Contains("not a file", Assert.Throws<StorageException>(() => DiskImage.Open(path, readOnly: readOnly)).Message);
    }

    private string NewFile(string name, long length)
    {
        string path = Path.Combine(_folder, name);
        using FileStream file = File.Create(path);
        file.SetLength(length);
        return path;
    }

    private static byte[] Pattern(int length, int seed)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }
}
