using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Myna.Host.Kvm;

// Structures of linux/kvm.h and asm/kvm.h for x86-64, byte by byte.

/// <summary>kvm_regs.</summary>
public struct KvmRegs
{
    public ulong Rax, Rbx, Rcx, Rdx, Rsi, Rdi, Rsp, Rbp, R8, R9, R10, R11, R12, R13, R14, R15, Rip, Rflags;
}

/// <summary>kvm_segment.</summary>
public struct KvmSegment
{
    public ulong Base;
    /// <summary>Bytes, inclusive, whatever <see cref="G"/> says.</summary>
    public uint Limit;
    public ushort Selector;
    public byte Type, Present, Dpl, Db, S, L, G, Avl, Unusable, Padding;
}

/// <summary>kvm_dtable.</summary>
public struct KvmTable
{
    public ulong Base;
    public ushort Limit, Padding0, Padding1, Padding2;
}

/// <summary>kvm_sregs2, and kvm_sregs, which ends with a bitmap of interrupts instead of flags and PDPTEs.</summary>
public struct KvmSregs
{
    /// <summary>Bit of <see cref="Flags"/>: the PDPTEs are meant.</summary>
    public const ulong PdptesValid = 1;

    public KvmSegment Cs, Ds, Es, Fs, Gs, Ss, Tr, Ldt;
    public KvmTable Gdt, Idt;
    public ulong Cr0, Cr2, Cr3, Cr4, Cr8, Efer, ApicBase, Flags;
    public KvmPdptes Pdptes;
}

/// <summary>Four PDPTEs.</summary>
[InlineArray(4)]
public struct KvmPdptes
{
    private ulong _first;
}

/// <summary>kvm_vcpu_events.</summary>
public struct KvmVcpuEvents
{
    public const uint NmiPendingValid = 1, SipiValid = 2, ShadowValid = 4, SmmValid = 8, PayloadValid = 16, TripleFaultValid = 32;
    public const byte ShadowMovSs = 1, ShadowSti = 2;

    public byte ExceptionInjected, ExceptionVector, ExceptionHasError, ExceptionPending;
    public uint ExceptionError;
    public byte InterruptInjected, InterruptVector, InterruptSoft, InterruptShadow;
    public byte NmiInjected, NmiPending, NmiMasked, Padding;
    public uint SipiVector, Flags;
    public byte SmiSmm, SmiPending, SmiInsideNmi, SmiLatchedInit, TripleFaultPending;
    public KvmReserved26 Reserved;
    public byte ExceptionHasPayload;
    public ulong ExceptionPayload;

    /// <summary>An exception, an NMI or an interrupt is about to be delivered.</summary>
    public readonly bool IsAnythingOnItsWay => (ExceptionInjected | ExceptionPending | InterruptInjected | NmiInjected | NmiPending) != 0;
}

/// <summary>26 bytes.</summary>
[InlineArray(26)]
public struct KvmReserved26
{
    private byte _first;
}

/// <summary>kvm_debugregs.</summary>
[StructLayout(LayoutKind.Sequential, Size = 128)]
public struct KvmDebugRegs
{
    public ulong Db0, Db1, Db2, Db3, Dr6, Dr7, Flags;
}

/// <summary>kvm_xcrs with one register.</summary>
[StructLayout(LayoutKind.Sequential, Size = 392)]
public struct KvmXcrs
{
    public uint Count, Flags, Number, Reserved;
    public ulong Value;
}

/// <summary>kvm_cpuid_entry2.</summary>
public struct KvmCpuidEntry
{
    /// <summary>Bit of <see cref="Flags"/>: the sub-leaf counts.</summary>
    public const uint SignificantIndex = 1;

    public uint Function, Index, Flags, Eax, Ebx, Ecx, Edx, Padding0, Padding1, Padding2;
}

/// <summary>kvm_msr_entry.</summary>
public struct KvmMsr
{
    public uint Index, Reserved;
    public ulong Value;
}

/// <summary>kvm_device_attr: something of a CPU or a device that has no request of its own.</summary>
internal struct KvmDeviceAttr
{
    public uint Flags, Group;
    public ulong Attribute, Address;
}

/// <summary>kvm_guest_debug.</summary>
[StructLayout(LayoutKind.Sequential, Size = 72)]
public struct KvmGuestDebug
{
    public const uint Enable = 1, SingleStep = 2, UseSoftware = 0x10000, UseHardware = 0x20000, BlockInterrupts = 0x100000;

    public uint Control, Padding;
    public ulong Db0, Db1, Db2, Db3, Reserved0, Reserved1, Dr6, Dr7;
}

/// <summary>kvm_pit_config.</summary>
[StructLayout(LayoutKind.Sequential, Size = 64)]
public struct KvmPitConfig
{
    /// <summary>Port 61h is the kernel's too.</summary>
    public const uint SpeakerDummy = 1;

    public uint Flags;
}

/// <summary>kvm_msi.</summary>
[StructLayout(LayoutKind.Sequential, Size = 32)]
public struct KvmMsi
{
    public uint AddressLow, AddressHigh, Data, Flags, DeviceId;
}

/// <summary>kvm_irq_routing_entry: a GSI's pin of a chip in the kernel, or its message.</summary>
[StructLayout(LayoutKind.Sequential, Size = 48)]
public struct KvmRoute
{
    public const uint ToChip = 1, ToMsi = 2;
    public const uint PicMaster = 0, PicSlave = 1, IoApic = 2;

    public uint Gsi, Type, Flags, Padding;
    /// <summary>A chip, or the low half of a message's address.</summary>
    public uint ChipOrAddressLow;
    /// <summary>A pin, or the high half of a message's address.</summary>
    public uint PinOrAddressHigh;
    public uint Data;
}

/// <summary>kvm_irqfd.</summary>
[StructLayout(LayoutKind.Sequential, Size = 32)]
internal struct KvmIrqfd
{
    public const uint Deassign = 1, Resample = 2;

    public uint Descriptor, Gsi, Flags, ResampleDescriptor;
}

/// <summary>kvm_ioeventfd.</summary>
[StructLayout(LayoutKind.Sequential, Size = 64)]
internal struct KvmIoeventfd
{
    public const uint DataMatch = 1, Pio = 2, Deassign = 4;

    public ulong DataMatchValue, Address;
    public uint Length;
    public int Descriptor;
    public uint Flags;
}

/// <summary>kvm_userspace_memory_region.</summary>
internal struct KvmMemoryRegion
{
    public uint Slot, Flags;
    public ulong GuestAddress, Size, HostAddress;
}

/// <summary>kvm_coalesced_mmio_zone.</summary>
internal struct KvmCoalescedZone
{
    public ulong Address;
    public uint Size, Port;
}

/// <summary>kvm_dirty_log and kvm_clear_dirty_log.</summary>
internal struct KvmDirtyLog
{
    public uint Slot, Pages;
    /// <summary>First page of a clear; the bitmap of a get.</summary>
    public ulong FirstOrBitmap, Bitmap;
}

/// <summary>kvm_enable_cap.</summary>
[StructLayout(LayoutKind.Sequential, Size = 104)]
internal struct KvmEnableCap
{
    public uint Capability, Flags;
    public ulong Argument0, Argument1, Argument2, Argument3;
}

/// <summary>kvm_clock_data.</summary>
[StructLayout(LayoutKind.Sequential, Size = 48)]
public struct KvmClockData
{
    public ulong Clock;
    public uint Flags, Padding;
    public ulong Realtime, HostTsc;
}

/// <summary>kvm_irqchip: one of <see cref="KvmRoute"/>'s chips with 512 bytes of its registers.</summary>
[StructLayout(LayoutKind.Sequential, Size = 520)]
public struct KvmIrqchip
{
    public uint Chip, Padding;
    public KvmChipState State;
}

/// <summary>Registers of a chip in the kernel.</summary>
[InlineArray(512)]
public struct KvmChipState
{
    private byte _first;
}

/// <summary>kvm_pit_state2.</summary>
[InlineArray(112)]
public struct KvmPitState
{
    private byte _first;
}

/// <summary>kvm_lapic_state: the register page.</summary>
[InlineArray(1024)]
public struct KvmLapicState
{
    private byte _first;
}
