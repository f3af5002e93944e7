using System.Buffers.Binary;
using System.Diagnostics;
using Myna.Devices.Interrupts;
using Myna.Devices.Timers;
using Myna.Hardware.Time;
using Myna.Host.Kvm;
using KvmIrqchip = Myna.Host.Kvm.KvmIrqchip;

namespace Myna.Machines.X86;

/// <summary>
/// Registers of 8259s, I/O APIC and 8254 in the forms of the kernel's models of them (linux/kvm.h and asm/kvm.h: kvm_pic_state,
/// kvm_ioapic_state, kvm_pit_state2). The kernel begins an 8254's periods anew when its state is set.
/// </summary>
internal static class KernelChips
{
    private const byte MasterElcrMask = 0xf8, SlaveElcrMask = 0xde;
    private const int PitChannelSize = 24, PitFlags = 72;
    private const uint HpetLegacy = 1;

    // Bytes of kvm_pic_state.
    private const int LastIrr = 0, Irr = 1, Imr = 2, Isr = 3, PriorityAdd = 4, IrqBase = 5, ReadRegister = 6, Poll = 7, SpecialMask = 8, InitState = 9, AutoEoi = 10, RotateOnAutoEoi = 11,
        SpecialFullyNested = 12, Init4 = 13, Elcr = 14, ElcrMask = 15;

    public static void StorePic(KvmVm vm, bool slave, in I8259Registers r)
    {
        var chip = new KvmIrqchip { Chip = slave ? KvmRoute.PicSlave : KvmRoute.PicMaster };
        Span<byte> s = chip.State;
        s[LastIrr] = r.Inputs;
        s[Irr] = r.Irr;
        s[Imr] = r.Imr;
        s[Isr] = r.Isr;
        s[PriorityAdd] = (byte)(r.Lowest + 1 & 7);
        s[IrqBase] = r.Base;
        s[ReadRegister] = One(r.ReadIsr);
        s[Poll] = One(r.Poll);
        s[SpecialMask] = One(r.SpecialMask);
        s[InitState] = (byte)(r.Expected == 0 ? 0 : r.Expected - 1);
        s[AutoEoi] = One(r.AutoEoi);
        s[RotateOnAutoEoi] = One(r.RotateOnAutoEoi);
        s[SpecialFullyNested] = One(r.SpecialFullyNested);
        s[Init4] = One(r.NeedsIcw4);
        s[Elcr] = r.Elcr;
        s[ElcrMask] = slave ? SlaveElcrMask : MasterElcrMask;
        vm.SetIrqchip(ref chip);
    }

    public static I8259Registers FetchPic(KvmVm vm, bool slave)
    {
        var chip = new KvmIrqchip { Chip = slave ? KvmRoute.PicSlave : KvmRoute.PicMaster };
        vm.GetIrqchip(ref chip);
        ReadOnlySpan<byte> s = chip.State;
        return new I8259Registers(s[Irr], s[Isr], s[Imr], s[LastIrr], s[Elcr], s[IrqBase], (byte)(s[PriorityAdd] + 7 & 7), (byte)(s[InitState] == 0 ? 0 : s[InitState] + 1), s[Init4] != 0, s[AutoEoi] != 0,
            s[SpecialFullyNested] != 0, s[RotateOnAutoEoi] != 0, s[SpecialMask] != 0, s[Poll] != 0, s[ReadRegister] != 0);
    }

    public static void StoreIoApic(KvmVm vm, ReadOnlySpan<ulong> redirection, byte select, byte id)
    {
        var chip = new KvmIrqchip { Chip = KvmRoute.IoApic };
        Span<byte> s = chip.State;
        BinaryPrimitives.WriteUInt64LittleEndian(s, Q35MemoryMap.IoApic);
        BinaryPrimitives.WriteUInt32LittleEndian(s[8..], select);
        BinaryPrimitives.WriteUInt32LittleEndian(s[12..], id);
        for (int pin = 0; pin < redirection.Length; pin++)
            BinaryPrimitives.WriteUInt64LittleEndian(s[(24 + 8 * pin)..], redirection[pin]);
        vm.SetIrqchip(ref chip);
    }

    public static void FetchIoApic(KvmVm vm, Span<ulong> redirection, out byte select, out byte id)
    {
        var chip = new KvmIrqchip { Chip = KvmRoute.IoApic };
        vm.GetIrqchip(ref chip);
        ReadOnlySpan<byte> s = chip.State;
        select = s[8];
        id = s[12];
        for (int pin = 0; pin < redirection.Length; pin++)
            redirection[pin] = BinaryPrimitives.ReadUInt64LittleEndian(s[(24 + 8 * pin)..]);
    }

    public static void StorePit(KvmVm vm, ReadOnlySpan<PitChannel> channels, bool legacy)
    {
        KvmPitState state = default;
        Span<byte> s = state;
        for (int i = 0; i < 3; i++)
        {
            PitChannel c = channels[i];
            Span<byte> at = s.Slice(i * PitChannelSize, PitChannelSize);
            byte access = (byte)(c.Control >> 4 & 3);
            BinaryPrimitives.WriteUInt32LittleEndian(at, (uint)c.Count);
            BinaryPrimitives.WriteUInt16LittleEndian(at[4..], c.Latch);
            at[6] = c.Latched == 3 ? (byte)3 : c.Latched == 2 && access == 3 ? (byte)4 : c.Latched;
            at[7] = One(c.StatusLatched);
            at[8] = c.Status;
            at[9] = State(access, c.ReadHigh);
            at[10] = State(access, c.WriteHigh);
            at[11] = c.Low;
            at[12] = access;
            at[13] = (byte)(c.Control >> 1 & 7);
            at[14] = (byte)(c.Control & 1);
            at[15] = One(c.Gate);
        }
        BinaryPrimitives.WriteUInt32LittleEndian(s[PitFlags..], legacy ? HpetLegacy : 0);
        vm.SetPit(ref state);

        // RW_STATE_*: low byte, high byte, first of both, second of both.
        static byte State(byte access, bool second) => access == 3 ? (byte)(second ? 4 : 3) : access;
    }

    public static PitChannel[] FetchPit(KvmVm vm)
    {
        KvmPitState state = default;
        vm.GetPit(ref state);
        ReadOnlySpan<byte> s = state;
        // The kernel's times are nanoseconds of the host's monotonic clock.
        ulong now = (ulong)((Int128)Stopwatch.GetTimestamp() * 1_000_000_000 / Stopwatch.Frequency);
        var channels = new PitChannel[3];
        for (int i = 0; i < 3; i++)
        {
            ReadOnlySpan<byte> at = s.Slice(i * PitChannelSize, PitChannelSize);
            ulong loaded = BinaryPrimitives.ReadUInt64LittleEndian(at[16..]);
            byte latched = at[6] switch { 3 => 3, 4 => 2, _ => at[6] };
            channels[i] = new PitChannel((int)BinaryPrimitives.ReadUInt32LittleEndian(at), (byte)(at[12] << 4 | at[13] << 1 | at[14]), BinaryPrimitives.ReadUInt16LittleEndian(at[4..]), latched, at[7] != 0, at[8],
                at[10] == 4, at[9] == 4, at[11], at[15] != 0, loaded == 0 || loaded > now ? 0 : Clock.ToTicks(now - loaded, I8254.Frequency));
        }
        return channels;
    }

    /// <summary>The kernel's 8254 raises no interrupts while the HPET stands in for it.</summary>
    public static void SilencePit(KvmVm vm, bool silent)
    {
        KvmPitState state = default;
        vm.GetPit(ref state);
        BinaryPrimitives.WriteUInt32LittleEndian(((Span<byte>)state)[PitFlags..], silent ? HpetLegacy : 0);
        vm.SetPit(ref state);
    }

    private static byte One(bool value) => value ? (byte)1 : (byte)0;
}
