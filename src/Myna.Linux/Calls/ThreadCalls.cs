using System.Buffers.Binary;
using Myna.Host.User;
using Myna.Linux.Loading;
using Myna.Linux.Signals;
using Myna.Linux.Threads;
using static Myna.Linux.Errno;

namespace Myna.Linux.Calls;

/// <summary>Threads, signals, and what ends or doubles a process: the structures around <see cref="GuestThread"/>.</summary>
internal static class ThreadCalls
{
    private const int SIGKILL = 9, SIGSTOP = 19, SIGCHLD = 17;

    public static long Clone(in Call call)
    {
        // x86-64 differs from all others in the order of the last two.
        bool generic = call.Abi != AbiKind.X64;
        return call.Thread.Clone(new CloneRequest
        {
            Flags = call.A0 & ~0xFFul,
            ExitSignal = (int)(call.A0 & 0xFF),
            StackPointer = call.A1,
            ParentTid = call.A2,
            PidDescriptor = call.A2,
            ChildTid = generic ? call.A4 : call.A3,
            Tls = generic ? call.A3 : call.A4,
        });
    }

    public static long Clone3(in Call call)
    {
        const int Least = 64, Known = 88;
        ulong size = call.A1;
        if (size < Least)
            return -EINVAL;
        if (size > 4096)
            return -E2BIG;
        Span<byte> bytes = stackalloc byte[(int)Math.Max(size, Known)];
        bytes.Clear();
        if (SafeMemory.Read(call.A0, bytes[..(int)size]) != (int)size)
            return -EFAULT;
        if (bytes[Known..].ContainsAnyExcept((byte)0))
            return -E2BIG;
        ReadOnlySpan<byte> b = bytes;
        ulong Word(ReadOnlySpan<byte> from, int index) => BinaryPrimitives.ReadUInt64LittleEndian(from[(8 * index)..]);
        // set_tid, set_tid_size and cgroup.
        if (Word(b, 9) != 0)
            return -EPERM;
        ulong stack = Word(b, 5), stackSize = Word(b, 6);
        // The signal is a field of its own here. LIMIT: no CLONE_NEWTIME (80h), no CLONE_INTO_CGROUP.
        if ((Word(b, 0) & 0xFF) != 0 || Word(b, 0) >> 33 != 0 || Word(b, 4) > SignalNumbers.Count || (stack == 0) != (stackSize == 0))
            return -EINVAL;
        return call.Thread.Clone(new CloneRequest
        {
            Flags = Word(b, 0),
            PidDescriptor = Word(b, 1),
            ChildTid = Word(b, 2),
            ParentTid = Word(b, 3),
            ExitSignal = (int)Word(b, 4),
            StackPointer = stack == 0 ? 0 : stack + stackSize,
            Tls = Word(b, 7),
        });
    }

    public static long Fork(in Call call) => call.Thread.Clone(new CloneRequest { ExitSignal = SIGCHLD });

    public static long VFork(in Call call) => call.Thread.Clone(new CloneRequest { Flags = CloneRequest.Memory | CloneRequest.VFork, ExitSignal = SIGCHLD });

    public static long Exit(in Call call)
    {
        if (call.Process.Threads.Count == 1)
            return ExitGroup(call);
        call.Thread.End((int)call.A0 & 0xFF);
        return SystemCalls.NoResult;
    }

    // Nothing of the runtime's own end: the guest has written what it wanted written.
    public static long ExitGroup(in Call call)
    {
        call.Thread.TellParent();
        call.Process.Debugger?.End((int)call.A0 & 0xFF, 0);
        return HostCalls.Plain(231, (long)(call.A0 & 0xFF));
    }

    public static long ArchControl(in Call call) => call.Thread.Cpu is Abis.X86UserCpu cpu ? cpu.SetBase((int)call.A0, call.A1) : -EINVAL;

    public static long SetTidAddress(in Call call)
    {
        call.Thread.ClearChildTid = call.A0;
        return call.Thread.Tid;
    }

    public static long SignalAction(in Call call)
    {
        int signal = (int)call.A0;
        if (call.A3 != 8 || signal is < 1 or > SignalNumbers.Count)
            return -EINVAL;
        if (call.A1 != 0 && signal is (SIGKILL or SIGSTOP))
            return -EINVAL;
        // The generic structure has no restorer.
        bool restorer = call.Abi != AbiKind.RiscV64;
        Span<byte> bytes = stackalloc byte[restorer ? 32 : 24];
        SignalAction old = call.Process.Signals.Get(signal);
        if (call.A1 != 0)
        {
            if (SafeMemory.Read(call.A1, bytes) != bytes.Length)
                return -EFAULT;
            var action = new SignalAction
            {
                Handler = BinaryPrimitives.ReadUInt64LittleEndian(bytes),
                Flags = BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]),
                Restorer = restorer ? BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]) : 0,
                Mask = BinaryPrimitives.ReadUInt64LittleEndian(bytes[^8..]) & ~(SignalNumbers.Bit(SIGKILL) | SignalNumbers.Bit(SIGSTOP)),
            };
            long result = call.Process.Signals.Set(signal, action);
            if (result != 0)
                return result;
        }
        if (call.A2 == 0)
            return 0;
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, old.Handler);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], old.Flags);
        if (restorer)
            BinaryPrimitives.WriteUInt64LittleEndian(bytes[16..], old.Restorer);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[^8..], old.Mask);
        return SafeMemory.Write(call.A2, bytes) == bytes.Length ? 0 : -EFAULT;
    }

    public static long SignalMask(in Call call) => call.Thread.ChangeMask((int)call.A0, call.A1, call.A2, call.A3);

    public static long SignalsPending(in Call call)
    {
        ref ulong set = ref call.Scratch.Take<ulong>(out long address);
        long result = call.Host(address, 8);
        if (result != 0)
            return result;
        return SafeMemory.TryStore(call.A0, 3, SignalNumbers.ToGuestMask(set)) ? 0 : -EFAULT;
    }

    public static long SignalWait(in Call call)
    {
        if (call.A3 != 8)
            return -EINVAL;
        if (!SafeMemory.TryLoad(call.A0, 3, out ulong mask))
            return -EFAULT;
        ref ulong set = ref call.Scratch.Take<ulong>(out long address);
        set = SignalNumbers.ToHostMask(mask);
        Span<byte> info = call.Scratch.Take(SignalSlot.InfoSize, out long infoAddress);
        long result = call.Host(address, infoAddress, (long)call.A2, 8);
        if (result <= 0)
            return result;
        int signal = SignalNumbers.ToGuest((int)result);
        BinaryPrimitives.WriteInt32LittleEndian(info, signal);
        return call.A1 == 0 || SafeMemory.Write(call.A1, info) == info.Length ? signal : -EFAULT;
    }

    public static long SignalSuspend(in Call call) => call.A1 == 8 ? call.Thread.Suspend(call.A0) : -EINVAL;

    public static long SignalReturn(in Call call)
    {
        call.Thread.ReturnFromHandler();
        return SystemCalls.NoResult;
    }

    public static long SignalStack(in Call call) => call.Thread.SetAlternateStack(call.A0, call.A1);
}
