using Myna.Cpu.X86;
using Myna.Host;
using Myna.Linux.Abis;
using static Myna.Linux.Errno;

namespace Myna.Linux.Calls.Narrow;

/// <summary>modify_ldt(2). LIMIT: threads that exist already share the table only if one of them had it made before.</summary>
internal static class LocalDescriptorTable
{
    private const int Entries = 8192, EntrySize = 8;

    public static long Call(in Call call)
    {
        if (call.Thread.Cpu is not X86UserCpu { X86: { } cpu })
            return -ENOSYS;
        int size = (int)Math.Min(call.A2, Entries * EntrySize);
        switch ((int)call.A0)
        {
            case 0:
            {
                if (cpu.UserLdt is not { } table)
                    return 0;
                ReadOnlySpan<byte> bytes = System.Runtime.InteropServices.MemoryMarshal.AsBytes(table.AsSpan());
                size = Math.Min(size, bytes.Length);
                return GuestMemory.TryWrite(call.A1, bytes[..size]) ? size : -EFAULT;
            }
            case 1 or 0x11:
                return Write(call, cpu, old: (int)call.A0 == 1);
            case 2:
                return 0;
            default:
                return -ENOSYS;
        }
    }

    private static long Write(in Call call, X86Cpu cpu, bool old)
    {
        if (call.A2 != UserDescriptor.Size)
            return -EINVAL;
        Span<byte> bytes = stackalloc byte[UserDescriptor.Size];
        if (!GuestMemory.TryRead(call.A1, bytes))
            return -EFAULT;
        UserDescriptor d = UserDescriptor.Read(bytes);
        if (d.Entry >= Entries || (d.Contents == 3 && (old || d.IsPresent)))
            return -EINVAL;
        ulong[] table = cpu.UserLdt ??= new ulong[Entries];
        table[d.Entry] = d.IsEmpty || (old && d.Base == 0 && d.Limit == 0) ? 0 : d.ToDescriptor();
        cpu.ReloadUserSegments((ushort)((d.Entry << 3) | 7));
        return 0;
    }
}
