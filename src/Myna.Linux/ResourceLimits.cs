using Myna.Host;

namespace Myna.Linux;

/// <summary>
/// Resource limits (getrlimit(2)) that the guest has and the host must not: the address space, data and stack of this process
/// are mostly Myna's runtime's.
/// </summary>
public sealed class ResourceLimits
{
    public const int Data = 2, Stack = 3, AddressSpace = 9;
    public const ulong Infinity = ulong.MaxValue;

    private const long SysPrlimit64 = 302;
    private const ulong DefaultStack = 8 << 20, MinimumStack = 256 << 10, MaximumStack = 256 << 20;

    private readonly Lock _lock = new();
    private readonly Dictionary<int, (ulong Soft, ulong Hard)> _kept = [];

    /// <summary>Whether the guest's value is kept here instead of in the kernel.</summary>
    public static bool IsKept(int resource) => resource is Data or Stack or AddressSpace;

    public (ulong Soft, ulong Hard) Get(int resource)
    {
        lock (_lock)
            return _kept.TryGetValue(resource, out var limit) ? limit : OfHost(resource);
    }

    /// <returns>0 or -errno.</returns>
    public long Set(int resource, ulong soft, ulong hard)
    {
        if (soft > hard)
            return -Errno.EINVAL;
        (_, ulong oldHard) = Get(resource);
        if (hard > oldHard && HostSyscall.Invoke(107) != 0)
            return -Errno.EPERM;
        lock (_lock)
            _kept[resource] = (soft, hard);
        return 0;
    }

    /// <summary>Bytes of a new program's stack: RLIMIT_STACK within reason.</summary>
    internal static ulong StackSize()
    {
        ulong soft = OfHost(Stack).Soft;
        return soft == Infinity ? DefaultStack : Math.Clamp(soft, MinimumStack, MaximumStack) & ~0xFFFul;
    }

    internal static (ulong Soft, ulong Hard) OfHost(int resource)
    {
        using var scratch = new HostScratch(4096);
        Span<byte> limit = scratch.Take(16, out long address);
        return HostSyscall.Invoke(SysPrlimit64, 0, resource, 0, address) < 0
            ? (Infinity, Infinity)
            : (BitConverter.ToUInt64(limit), BitConverter.ToUInt64(limit[8..]));
    }
}
