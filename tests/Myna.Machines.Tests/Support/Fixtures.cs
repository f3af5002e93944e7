using Myna.Hardware.Backends;

namespace Myna.Machines.Tests.Support;

/// <summary>A directory that is gone after the test.</summary>
internal sealed class Scratch : IDisposable
{
    private readonly string _path = Directory.CreateTempSubdirectory("myna-test-").FullName;

    public string Path(string name) => System.IO.Path.Combine(_path, name);

    public string Write(string name, byte[] bytes)
    {
        File.WriteAllBytes(Path(name), bytes);
        return Path(name);
    }

    public void Dispose() => Directory.Delete(_path, recursive: true);
}

/// <summary>Remembers what the guest writes.</summary>
internal sealed class Recorder : ICharBackend
{
    private readonly List<byte> _bytes = [];

    public string Text
    {
        get
        {
            lock (_bytes)
                return System.Text.Encoding.Latin1.GetString([.. _bytes]);
        }
    }

    public void Attach(ICharFrontend frontend) { }

    public void Write(ReadOnlySpan<byte> bytes)
    {
        lock (_bytes)
            _bytes.AddRange(bytes);
    }

    public void ReceiveReady() { }
}

/// <summary>A small disk of zeroes that swallows what is written.</summary>
internal sealed class NullDisk : IBlockBackend
{
    public ulong Length => 1 << 20;
    public bool ReadOnly => false;
    public ValueTask<BlockStatus> ReadAsync(ulong offset, IReadOnlyList<Memory<byte>> buffers) => new(BlockStatus.Ok);
    public ValueTask<BlockStatus> WriteAsync(ulong offset, IReadOnlyList<ReadOnlyMemory<byte>> buffers) => new(BlockStatus.Ok);
    public ValueTask<BlockStatus> FlushAsync() => new(BlockStatus.Ok);
    public ValueTask<BlockStatus> DiscardAsync(ulong offset, ulong length) => new(BlockStatus.Ok);
    public ValueTask<BlockStatus> WriteZeroesAsync(ulong offset, ulong length, bool unmap) => new(BlockStatus.Ok);
}

/// <summary>A cable that ends nowhere.</summary>
internal sealed class NullNet : INetBackend
{
    public void Attach(INetFrontend frontend) { }
    public void Send(ReadOnlySpan<byte> frame) { }
    public void ReceiveReady() { }
}
