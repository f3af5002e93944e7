namespace Myna.Linux.Threads;

public sealed partial class GuestThread
{
    private long Fork(in CloneRequest request)
    {
        _ = request;
        return -Errno.ENOSYS;
    }
}
