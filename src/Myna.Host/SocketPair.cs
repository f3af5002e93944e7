using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Myna.Host;

/// <summary>Two connected UNIX sockets, one of which is for another process (unix(7)).</summary>
public static unsafe partial class SocketPair
{
    private const int AF_UNIX = 1, SOCK_STREAM = 1, SOCK_CLOEXEC = 0x80000, SOL_SOCKET = 1, SCM_RIGHTS = 1;

    /// <summary>This process's end, and the other one's descriptor, which <see cref="SendDescriptor"/> closes.</summary>
    /// <exception cref="IOException">The host gives none.</exception>
    public static (Socket Own, int Theirs) Create()
    {
        int* pair = stackalloc int[2];
        // SAFETY: the call writes two descriptors.
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
            throw new IOException($"no socket pair: {Marshal.GetLastPInvokeErrorMessage()}");
        return (new Socket(new SafeSocketHandle(pair[0], ownsHandle: true)), pair[1]);
    }

    /// <summary>Sends bytes and with them a descriptor, which is closed here.</summary>
    /// <exception cref="IOException">It cannot be sent.</exception>
    public static void SendDescriptor(Socket socket, ReadOnlySpan<byte> bytes, int descriptor)
    {
        ControlMessage control = new() { Length = (nuint)(sizeof(ControlMessage) - sizeof(int)), Level = SOL_SOCKET, Type = SCM_RIGHTS, Descriptor = descriptor };
        // SAFETY: the structures live on the stack until the call has ended, and are those of sendmsg(2) on 64-bit Linux.
        fixed (byte* data = bytes)
        {
            Vector vector = new() { Base = data, Length = (nuint)bytes.Length };
            Message message = new() { Vectors = &vector, VectorCount = 1, Control = &control, ControlLength = (nuint)sizeof(ControlMessage) };
            nint sent = sendmsg((int)socket.Handle, &message, 0);
            int error = Marshal.GetLastPInvokeError();
            _ = Libc.close(descriptor);
            if (sent != bytes.Length)
                throw new IOException(Marshal.GetPInvokeErrorMessage(error));
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Vector
    {
        public void* Base;
        public nuint Length;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Message
    {
        public void* Name;
        public nuint NameLength;
        public Vector* Vectors;
        public nuint VectorCount;
        public void* Control;
        public nuint ControlLength;
        public nint Flags;
    }

    /// <summary>A control message with one descriptor, padded to eight bytes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct ControlMessage
    {
        public nuint Length;
        public int Level;
        public int Type;
        public int Descriptor;
        public int Padding;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socketpair(int domain, int type, int protocol, int* pair);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint sendmsg(int socket, Message* message, int flags);
}
