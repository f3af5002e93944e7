using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Myna.Host.Kvm;

/// <summary>Why KVM_RUN came back, by the names in linux/kvm.h.</summary>
public enum KvmExitReason : uint
{
    UNKNOWN = 0, EXCEPTION = 1, IO = 2, HYPERCALL = 3, DEBUG = 4, HLT = 5, MMIO = 6, IRQ_WINDOW_OPEN = 7, SHUTDOWN = 8, FAIL_ENTRY = 9, INTR = 10, SET_TPR = 11, TPR_ACCESS = 12,
    S390_SIEIC = 13, S390_RESET = 14, DCR = 15, NMI = 16, INTERNAL_ERROR = 17, OSI = 18, PAPR_HCALL = 19, S390_UCONTROL = 20, WATCHDOG = 21, S390_TSCH = 22, EPR = 23, SYSTEM_EVENT = 24,
    S390_STSI = 25, IOAPIC_EOI = 26, HYPERV = 27, ARM_NISV = 28, X86_RDMSR = 29, X86_WRMSR = 30, DIRTY_RING_FULL = 31, AP_RESET_HOLD = 32, X86_BUS_LOCK = 33, XEN = 34, RISCV_SBI = 35,
    RISCV_CSR = 36, NOTIFY = 37, LOONGARCH_IOCSR = 38, MEMORY_FAULT = 39, TDX = 40, ARM_SEA = 41, ARM_LDST64B = 42, SNP_REQ_CERTS = 43,
}

/// <summary>Sub-errors of <see cref="KvmExitReason.INTERNAL_ERROR"/>.</summary>
public enum KvmInternalError : uint
{
    /// <summary>The kernel's emulator does not know the instruction.</summary>
    EMULATION = 1,
    SIMUL_EX = 2,
    DELIVERY_EV = 3,
    UNEXPECTED_EXIT_REASON = 4,
}

/// <summary>KVM_SYSTEM_EVENT_*.</summary>
public enum KvmSystemEvent : uint
{
    SHUTDOWN = 1, RESET = 2, CRASH = 3, WAKEUP = 4, SUSPEND = 5, SEV_TERM = 6, TDX_FATAL = 7,
}

/// <summary>kvm_run: the page that a virtual CPU shares with the kernel. Overlaid fields hold what the exit reason says.</summary>
[StructLayout(LayoutKind.Explicit, Size = 2352)]
public struct KvmRun
{
    // In.
    [FieldOffset(0)] public byte RequestInterruptWindow;
    [FieldOffset(1)] public byte ImmediateExit;

    // Out.
    [FieldOffset(8)] public KvmExitReason ExitReason;
    [FieldOffset(12)] public byte ReadyForInterruptInjection;
    [FieldOffset(13)] public byte IfFlag;
    [FieldOffset(14)] public ushort Flags;

    // Both.
    [FieldOffset(16)] public ulong Cr8;
    [FieldOffset(24)] public ulong ApicBase;

    // UNKNOWN, FAIL_ENTRY.
    [FieldOffset(32)] public ulong HardwareReason;
    [FieldOffset(40)] public uint FailedCpu;

    // IO.
    [FieldOffset(32)] public byte IoOut;
    [FieldOffset(33)] public byte IoSize;
    [FieldOffset(34)] public ushort IoPort;
    [FieldOffset(36)] public uint IoCount;
    [FieldOffset(40)] public ulong IoDataOffset;

    // DEBUG: kvm_debug_exit_arch.
    [FieldOffset(32)] public uint DebugException;
    [FieldOffset(40)] public ulong DebugPc;
    [FieldOffset(48)] public ulong DebugDr6;
    [FieldOffset(56)] public ulong DebugDr7;

    // MMIO.
    [FieldOffset(32)] public ulong MmioAddress;
    [FieldOffset(40)] public ulong MmioData;
    [FieldOffset(48)] public uint MmioLength;
    [FieldOffset(52)] public byte MmioIsWrite;

    // HYPERCALL.
    [FieldOffset(32)] public ulong HypercallNumber;
    [FieldOffset(88)] public ulong HypercallResult;

    // INTERNAL_ERROR.
    [FieldOffset(32)] public KvmInternalError InternalError;
    [FieldOffset(36)] public uint InternalCount;
    [FieldOffset(40)] public KvmInternalData InternalData;

    // TPR_ACCESS.
    [FieldOffset(32)] public ulong TprPc;
    [FieldOffset(40)] public uint TprIsWrite;

    // SYSTEM_EVENT.
    [FieldOffset(32)] public KvmSystemEvent SystemEvent;
    [FieldOffset(36)] public uint SystemEventCount;
    [FieldOffset(40)] public ulong SystemEventData;

    // NOTIFY.
    [FieldOffset(32)] public uint NotifyFlags;

    // IOAPIC_EOI.
    [FieldOffset(32)] public byte EoiVector;

    // X86_RDMSR, X86_WRMSR.
    [FieldOffset(32)] public byte MsrError;
    [FieldOffset(40)] public uint MsrReason;
    [FieldOffset(44)] public uint MsrIndex;
    [FieldOffset(48)] public ulong MsrData;

    // MEMORY_FAULT.
    [FieldOffset(32)] public ulong FaultFlags;
    [FieldOffset(40)] public ulong FaultAddress;
    [FieldOffset(48)] public ulong FaultSize;

    // Registers shared while KVM_CAP_SYNC_REGS is used.
    [FieldOffset(288)] public ulong ValidRegs;
    [FieldOffset(296)] public ulong DirtyRegs;
    [FieldOffset(304)] public KvmRegs SyncRegs;
    // kvm_sregs has 312 bytes; the last of KvmSregs are the next structure's first.
    [FieldOffset(448)] public KvmSregs SyncSregs;
    [FieldOffset(760)] public KvmVcpuEvents SyncEvents;

    private const ulong PrivateFault = 1 << 3;

    /// <summary>After <see cref="KvmExitReason.NOTIFY"/>: the guest cannot go on.</summary>
    public readonly bool IsContextLost => (NotifyFlags & 1) != 0;

    /// <summary>What happened, for messages.</summary>
    public readonly string Describe() => ExitReason switch
    {
        KvmExitReason.UNKNOWN => $"unknown hardware exit 0x{HardwareReason:x}",
        KvmExitReason.EXCEPTION => $"exception {(uint)HardwareReason}, error code 0x{HardwareReason >> 32:x}",
        KvmExitReason.IO => $"{(IoOut != 0 ? "write to" : "read from")} port 0x{IoPort:x}, {IoCount} × {IoSize} bytes",
        KvmExitReason.HYPERCALL => $"hypercall {HypercallNumber}",
        KvmExitReason.DEBUG => $"debug exception {DebugException} at 0x{DebugPc:x}, DR6 0x{DebugDr6:x}",
        KvmExitReason.MMIO => $"{(MmioIsWrite != 0 ? "write to" : "read from")} address 0x{MmioAddress:x}, {MmioLength} bytes",
        KvmExitReason.FAIL_ENTRY => $"the processor refused the guest's state, reason 0x{HardwareReason:x} on host CPU {FailedCpu}",
        KvmExitReason.INTERNAL_ERROR => $"internal error {InternalError}{DescribeData()}",
        KvmExitReason.SYSTEM_EVENT => $"system event {SystemEvent}{(SystemEventCount == 0 ? "" : $", 0x{SystemEventData:x}")}",
        KvmExitReason.TPR_ACCESS => $"{(TprIsWrite != 0 ? "write to" : "read from")} the task priority at 0x{TprPc:x}",
        KvmExitReason.NOTIFY => $"no way to look at interrupts for too long{(IsContextLost ? ", and the guest's state is lost" : "")}",
        KvmExitReason.X86_BUS_LOCK => "a locked access across cache lines",
        KvmExitReason.IOAPIC_EOI => $"end of interrupt 0x{EoiVector:x}",
        KvmExitReason.X86_RDMSR => $"RDMSR of 0x{MsrIndex:x}, reason {MsrReason}",
        KvmExitReason.X86_WRMSR => $"WRMSR of 0x{MsrIndex:x}, reason {MsrReason}, value 0x{MsrData:x}",
        KvmExitReason.MEMORY_FAULT => $"memory fault at 0x{FaultAddress:x}, {FaultSize} bytes{((FaultFlags & PrivateFault) != 0 ? ", private" : "")}",
        _ => ExitReason.ToString(),
    };

    /// <summary>Bytes of the instruction that the kernel's emulator did not know, as far as the kernel tells them.</summary>
    public readonly ReadOnlySpan<byte> FailedInstruction()
    {
        if (InternalError != KvmInternalError.EMULATION || InternalCount < 3 || (InternalData[0] & 1) == 0)
            return [];
        Span<byte> all = MemoryMarshal.AsBytes((Span<ulong>)[InternalData[1], InternalData[2]]);
        return all.Slice(1, Math.Min(15, (int)all[0])).ToArray();
    }

    private readonly string DescribeData()
    {
        ReadOnlySpan<byte> instruction = FailedInstruction();
        if (instruction.Length != 0)
            return $", instruction {Convert.ToHexString(instruction)}";
        string text = "";
        for (int i = 0; i < Math.Min(16, (int)InternalCount); i++)
            text += $" {InternalData[i]:x}";
        return text.Length == 0 ? "" : ":" + text;
    }
}

/// <summary>Data of an internal error.</summary>
[InlineArray(16)]
public struct KvmInternalData
{
    private ulong _first;
}
