using Myna.Host.User;
using Myna.Linux.Memory;

namespace Myna.Linux.Abis;

/// <summary>
/// The page of code that the kernel gives an i386 program: its way into the kernel (AT_SYSINFO) and where handlers return to
/// (arch/x86/entry/vdso/vdso32). LIMIT: it is no ELF image, so there are no functions of the C library's to find in it.
/// </summary>
internal static class I386EntryPage
{
    /// <summary>Offsets: __kernel_vsyscall, behind its INT 80h, __kernel_sigreturn, __kernel_rt_sigreturn.</summary>
    public const int VSyscall = 0, Landing = 5, SignalReturn = 32, RealTimeSignalReturn = 48;

    private static ReadOnlySpan<byte> VSyscallCode =>
    [
        0x51, 0x52, 0x55,       // push ecx; push edx; push ebp
        0xCD, 0x80,
        0x5D, 0x5A, 0x59, 0xC3, // pop ebp; pop edx; pop ecx; ret
    ];

    // pop eax; mov eax, __NR_sigreturn; int 80h
    private static ReadOnlySpan<byte> SignalReturnCode => [0x58, 0xB8, 119, 0, 0, 0, 0xCD, 0x80];

    private static ReadOnlySpan<byte> RealTimeSignalReturnCode => [0xB8, 173, 0, 0, 0, 0xCD, 0x80];

    /// <returns>Its address; 0 when there is no room.</returns>
    public static ulong Map(AddressSpace space)
    {
        long page = space.Map(0, AddressSpace.PageSize, Protection.Read | Protection.Write, MapFlags.Private | MapFlags.Anonymous);
        if (page < 0)
            return 0;
        _ = SafeMemory.Write((ulong)page + VSyscall, VSyscallCode);
        _ = SafeMemory.Write((ulong)page + SignalReturn, SignalReturnCode);
        _ = SafeMemory.Write((ulong)page + RealTimeSignalReturn, RealTimeSignalReturnCode);
        _ = space.Protect((ulong)page, AddressSpace.PageSize, Protection.Read | Protection.Execute);
        return (ulong)page;
    }
}
