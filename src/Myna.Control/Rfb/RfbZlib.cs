using System.IO.Compression;

namespace Myna.Control.Rfb;

/// <summary>A zlib stream that lasts as long as the connection, flushed after each rectangle.</summary>
internal sealed class RfbZlib : IDisposable
{
    private readonly MemoryStream _output = new();
    private readonly ZLibStream _zlib;

    public RfbZlib() => _zlib = new ZLibStream(_output, CompressionLevel.Fastest, leaveOpen: true);

    /// <summary>The compressed form of the bytes; valid until the next call.</summary>
    public ReadOnlySpan<byte> Compress(ReadOnlySpan<byte> bytes)
    {
        _output.SetLength(0);
        _zlib.Write(bytes);
        _zlib.Flush();
        return _output.GetBuffer().AsSpan(0, (int)_output.Length);
    }

    public void Dispose()
    {
        _zlib.Dispose();
        _output.Dispose();
    }
}
