using System.Runtime.InteropServices;

namespace Myna.Host.Kvm;

/// <summary>/dev/kvm or a descriptor made from it.</summary>
public abstract unsafe partial class KvmDescriptor : IDisposable
{
    protected const int EINTR = 4, ENXIO = 6, E2BIG = 7, EAGAIN = 11, EACCES = 13, EINVAL = 22;

    private protected KvmDescriptor(int descriptor) => Descriptor = descriptor;

    internal int Descriptor { get; private set; }

    /// <summary>Calls of the kernel by this descriptor; a statistic.</summary>
    public ulong Calls { get; private set; }

    // The kernel's result, or -errno.
    private protected int Call(uint request, nint argument = 0)
    {
        Calls++;
        int result = ioctl(Descriptor, request, argument);
        return result < 0 ? -Marshal.GetLastPInvokeError() : result;
    }

    private protected int Call<T>(uint request, ref T argument) where T : unmanaged
    {
        fixed (T* p = &argument)
        {
            // SAFETY: the caller names a request whose argument is a T.
            return Call(request, (nint)p);
        }
    }

    private protected static int Check(int result, string what)
        => result >= 0 ? result : throw new IOException($"KVM: {what}: {Marshal.GetPInvokeErrorMessage(-result)}", -result);

    public virtual void Dispose()
    {
        if (Descriptor >= 0)
            _ = Libc.close(Descriptor);
        Descriptor = -1;
        GC.SuppressFinalize(this);
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(int descriptor, nuint request, nint argument);
}
