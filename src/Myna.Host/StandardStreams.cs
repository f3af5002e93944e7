using System.Runtime.InteropServices;

namespace Myna.Host;

/// <summary>
/// The process's standard streams as plain bytes. System.Console would set the terminal up for line editing, which a guest's
/// console must not have; FileStream writes at an offset of its own, over what other processes wrote to the same file.
/// </summary>
public static class StandardStreams
{
    public static Stream OpenInput() => new DescriptorStream(0, writable: false);
    public static Stream OpenOutput() => new DescriptorStream(1, writable: true);
    public static Stream OpenError() => new DescriptorStream(2, writable: true);
}

/// <summary>read(2) and write(2) on a descriptor that stays open.</summary>
internal sealed unsafe partial class DescriptorStream(int descriptor, bool writable) : Stream
{
    private const int EINTR = 4, EAGAIN = 11;
    private const short POLLIN = 1, POLLOUT = 4;

    public override bool CanRead => !writable;
    public override bool CanWrite => writable;
    public override bool CanSeek => false;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override int Read(Span<byte> buffer)
    {
        while (true)
        {
            nint count;
            // SAFETY: the span is pinned for the call and its length is passed along.
            fixed (byte* p = buffer)
                count = read(descriptor, p, (nuint)buffer.Length);
            if (count >= 0)
                return (int)count;
            WaitOrThrow(POLLIN, "cannot read standard input");
        }
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            nint count;
            // SAFETY: the span is pinned for the call and its length is passed along.
            fixed (byte* p = buffer)
                count = write(descriptor, p, (nuint)buffer.Length);
            if (count >= 0)
                buffer = buffer[(int)count..];
            else
                WaitOrThrow(POLLOUT, "cannot write to standard output");
        }
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));
    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));
    public override void Flush() { }
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <summary>A descriptor that another process made non-blocking is waited for; a signal means once more.</summary>
    private void WaitOrThrow(short events, string what)
    {
        int error = Marshal.GetLastPInvokeError();
        if (error == EAGAIN)
        {
            PollEntry entry = new() { Descriptor = descriptor, Events = events };
            // SAFETY: one entry, as said.
            _ = poll(&entry, 1, -1);
        }
        else if (error != EINTR)
        {
            throw Libc.Error(what);
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct PollEntry
    {
        public int Descriptor;
        public short Events, Returned;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint read(int fd, byte* buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint write(int fd, byte* buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int poll(PollEntry* entries, nuint count, int timeout);
}
