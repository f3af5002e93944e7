using Myna.Devices.Interrupts;
using Myna.Devices.Tests.Support;
using static Myna.Devices.Tests.Support.ApicRig;

namespace Myna.Devices.Tests.Interrupts;

/// <summary>Intel SDM volume 3, chapter "Advanced Programmable Interrupt Controller".</summary>
public sealed class LocalApicTests
{
    private const uint Masked = 1 << 16, Assert_ = 1 << 14, Logical = 1 << 11;
    private const uint Nmi = 4 << 8, Init = 5 << 8, Startup = 6 << 8, LowestPriority = 1 << 8;
    private const uint Self = 1 << 18, All = 2 << 18, Others = 3 << 18;
    private readonly ApicRig _rig = new();

    private void Ipi(int from, uint command, byte destination = 0)
    {
        _rig.Set(from, IcrHigh, (uint)destination << 24);
        _rig.Set(from, IcrLow, command);
    }

    [Fact]
    public void Registers_out_of_reset()
    {
        _rig.Apics[1].Reset();
        Assert.Equal(0xfee0_0800u, _rig.Apics[1].ApicBase);
        Assert.Equal(0xfee0_0900u, _rig.Apics[0].ApicBase);
        Assert.Equal(0x0100_0000u, _rig.Get(1, 0x20));
        Assert.Equal(0x0105_0014u, _rig.Get(1, 0x30));
        Assert.Equal(0xffu, _rig.Get(1, Svr));
        Assert.Equal((0u, uint.MaxValue), (_rig.Get(1, Ldr), _rig.Get(1, Dfr)));
        for (uint lvt = LvtTimer; lvt <= LvtError; lvt += 16)
            Assert.Equal(Masked, _rig.Get(1, lvt));
        foreach (uint register in new[] { Tpr, Ppr, Isr, Tmr, Irr, Esr, IcrLow, IcrHigh, InitialCount, CurrentCount, Divide })
            Assert.Equal(0u, _rig.Get(1, register));
    }

    [Fact]
    public void Only_the_architectural_bits_can_be_written()
    {
        foreach ((uint register, uint expected) in new[]
        {
            (Tpr, 0xffu), (Ldr, 0xff00_0000u), (Dfr, uint.MaxValue), (LvtTimer, 0x700ffu), (0x330u, 0x107ffu),
            (LvtPerformance, 0x107ffu), (Lint0, 0x1a7ffu), (Lint1, 0x1a7ffu), (LvtError, 0x100ffu), (Divide, 0xbu), (IcrHigh, 0xff00_0000u), (Svr, 0x13ffu),
        })
        {
            _rig.Set(0, register, uint.MaxValue);
            Assert.Equal(expected, _rig.Get(0, register));
        }
        _rig.Set(0, Dfr, 0);
        Assert.Equal(0x0fff_ffffu, _rig.Get(0, Dfr));
        _rig.Set(0, Isr, uint.MaxValue);
        Assert.Equal(0u, _rig.Get(0, Isr));
    }

    [Fact]
    public void Priorities_nest()
    {
        Ipi(0, Self | 0x31);
        Ipi(0, Self | 0x52);
        Ipi(0, Self | 0x5f);
        Assert.Equal(0x5f, _rig.Take(0));
        Assert.Equal(0x50u, _rig.Get(0, Ppr));
        Assert.Equal(-1, _rig.Take(0));
        Ipi(0, Self | 0x60);
        Assert.Equal(0x60, _rig.Take(0));
        Assert.True(_rig.Bit(0, Isr, 0x5f) && _rig.Bit(0, Isr, 0x60) && _rig.Bit(0, Irr, 0x31));
        _rig.Set(0, Eoi, 0);
        Assert.Equal(-1, _rig.Take(0));
        _rig.Set(0, Eoi, 0);
        Assert.Equal(0x52, _rig.Serve(0));
        Assert.Equal(0x31, _rig.Serve(0));
        Assert.Equal(-1, _rig.Take(0));
        _rig.Set(0, Eoi, 0);
    }

    [Fact]
    public void The_task_priority_holds_interrupts_back()
    {
        _rig.Set(0, Tpr, 0x5c);
        Assert.Equal(5, _rig.Apics[0].TaskPriority);
        Ipi(0, Self | 0x5f);
        Assert.False(_rig.Cores[0].Intr);
        Assert.Equal(0x5cu, _rig.Get(0, Ppr));
        _rig.Apics[0].TaskPriority = 4;
        Assert.Equal(0x40u, _rig.Get(0, Tpr));
        Assert.True(_rig.Cores[0].Intr);
        _rig.Apics[0].TaskPriority = 15;
        Assert.False(_rig.Cores[0].Intr);
        Assert.Equal(-1, _rig.Apics[0].Acknowledge());
        _rig.Apics[0].TaskPriority = 0;
        Assert.Equal(0x5f, _rig.Serve(0));
    }

    [Fact]
    public void Shorthands()
    {
        Ipi(0, Self | 0x40);
        Assert.Equal((0x40, -1), (_rig.Serve(0), _rig.Serve(1)));
        Ipi(0, All | 0x41);
        Assert.Equal((0x41, 0x41), (_rig.Serve(0), _rig.Serve(1)));
        Ipi(0, Others | 0x42);
        Assert.Equal((-1, 0x42), (_rig.Serve(0), _rig.Serve(1)));
        Ipi(0, 0x43, 0xff);
        Assert.Equal((0x43, 0x43), (_rig.Serve(0), _rig.Serve(1)));
    }

    [Fact]
    public void Physical_destinations_follow_the_ID_register()
    {
        Ipi(0, 0x40, 1);
        Assert.Equal((-1, 0x40), (_rig.Serve(0), _rig.Serve(1)));
        _rig.Set(0, 0x20, 7 << 24);
        _rig.Set(1, 0x20, 7 << 24);
        Ipi(0, 0x41, 7);
        Assert.Equal((0x41, 0x41), (_rig.Serve(0), _rig.Serve(1)));
        Ipi(0, 0x41, 1);
        Assert.Equal((-1, -1), (_rig.Serve(0), _rig.Serve(1)));
    }

    [Theory]
    [InlineData(uint.MaxValue, 0x10u, 0x20u, 0x20, false, true)]
    [InlineData(uint.MaxValue, 0x10u, 0x20u, 0x30, true, true)]
    [InlineData(uint.MaxValue, 0x10u, 0x20u, 0xcf, false, false)]
    [InlineData(0x0fff_ffffu, 0x21u, 0x22u, 0x22, false, true)]
    [InlineData(0x0fff_ffffu, 0x21u, 0x22u, 0x23, true, true)]
    [InlineData(0x0fff_ffffu, 0x21u, 0x31u, 0x3f, false, true)]
    [InlineData(0x0fff_ffffu, 0x21u, 0x31u, 0xff, true, true)]
    public void Logical_destinations(uint model, uint first, uint second, byte destination, bool reachesFirst, bool reachesSecond)
    {
        for (int cpu = 0; cpu < 2; cpu++)
        {
            _rig.Set(cpu, Dfr, model);
            _rig.Set(cpu, Ldr, (cpu == 0 ? first : second) << 24);
        }
        Ipi(0, Logical | 0x99, destination);
        Assert.Equal((reachesFirst, reachesSecond), (_rig.Serve(0) == 0x99, _rig.Serve(1) == 0x99));
    }

    [Fact]
    public void Lowest_priority_goes_to_one_and_that_the_least_busy()
    {
        _rig.Apics[0].TaskPriority = 3;
        for (byte vector = 0x80; vector < 0x84; vector++)
        {
            Ipi(0, LowestPriority | vector, 0xff);
            Assert.Equal((-1, (int)vector), (_rig.Serve(0), _rig.Serve(1)));
        }
        _rig.Apics[0].TaskPriority = 0;
        int both = 0;
        for (byte vector = 0x80; vector < 0x84; vector++)
        {
            Ipi(0, LowestPriority | vector, 0xff);
            bool first = _rig.Serve(0) == vector, second = _rig.Serve(1) == vector;
            Assert.True(first != second);
            both |= first ? 1 : 2;
        }
        Assert.Equal(3, both);
        _rig.Set(1, Svr, 0xff);
        Ipi(0, LowestPriority | 0x81, 0xff);
        Assert.Equal(0x81, _rig.Serve(0));
    }

    [Fact]
    public void INIT_and_SIPI_start_a_CPU()
    {
        _rig.Set(1, LvtTimer, 0x44);
        _rig.Set(1, Ldr, 2 << 24);
        Ipi(0, Init | Assert_ | 1 << 15, 1);
        Assert.Equal((0, 1), (_rig.Cores[0].Inits, _rig.Cores[1].Inits));
        Assert.Equal((Masked, 0u, 0xffu, 1u << 24), (_rig.Get(1, LvtTimer), _rig.Get(1, Ldr), _rig.Get(1, Svr), _rig.Get(1, 0x20)));
        Ipi(0, Init | 1 << 15, 1); // INIT level de-assert
        Assert.Equal(1, _rig.Cores[1].Inits);
        Ipi(0, Startup | 0x9a, 1);
        Assert.Equal([(byte)0x9a], _rig.Cores[1].Startups);
        Ipi(0, Nmi, 1);
        Assert.Equal((0, 1), (_rig.Cores[0].Nmis, _rig.Cores[1].Nmis));
        Ipi(0, Others | Init | Assert_);
        Assert.Equal((0, 2), (_rig.Cores[0].Inits, _rig.Cores[1].Inits));
    }

    [Fact]
    public void Disabled_by_software_it_takes_no_interrupts_and_masks_its_vectors()
    {
        _rig.Set(1, LvtError, 0x50);
        Ipi(0, 0x40, 1);
        _rig.Set(1, Svr, 0xff);
        Assert.Equal(Masked | 0x50, _rig.Get(1, LvtError));
        _rig.Set(1, LvtError, 0x51);
        Assert.Equal(Masked | 0x51, _rig.Get(1, LvtError));
        Ipi(0, 0x60, 1);
        Ipi(0, Nmi, 1);
        Assert.Equal(1, _rig.Cores[1].Nmis);
        // What was accepted before stays.
        Assert.Equal(0x40, _rig.Serve(1));
        Assert.Equal(-1, _rig.Take(1));
    }

    [Fact]
    public void Errors_are_latched_by_a_write_and_interrupt_once_until_then()
    {
        _rig.Set(0, LvtError, 0xfe);
        Ipi(0, Self | 5);
        Assert.Equal(0u, _rig.Get(0, Esr));
        Assert.Equal(0xfe, _rig.Serve(0));
        _rig.Get(0, 0x10); // reserved
        Assert.False(_rig.Cores[0].Intr);
        _rig.Set(0, Esr, 0);
        Assert.Equal(0xa0u, _rig.Get(0, Esr));
        _rig.Bus.Send(0xfee0_0000, 7);
        Assert.Equal(0xfe, _rig.Serve(0));
        _rig.Set(0, Esr, 0);
        Assert.Equal(0x40u, _rig.Get(0, Esr));
        _rig.Set(0, Esr, 0);
        Assert.Equal(0u, _rig.Get(0, Esr));
    }

    [Fact]
    public void Local_inputs()
    {
        _rig.Set(0, Lint1, Nmi);
        _rig.Bus.SetLevel(ApicBus.Lint1, true);
        Assert.Equal((1, 0), (_rig.Cores[0].Nmis, _rig.Cores[1].Nmis));
        _rig.Set(0, Lint0, 0x55);
        _rig.Bus.SetLevel(ApicBus.Lint0, true);
        Assert.Equal(0x55, _rig.Serve(0));
        _rig.Bus.SetLevel(ApicBus.Lint0, false);
        _rig.Set(0, Lint0, 0x56 | 1 << 15);
        _rig.Bus.SetLevel(ApicBus.Lint0, true);
        Assert.Equal(0x56u | 1 << 14 | 1 << 15, _rig.Get(0, Lint0));
        Assert.Equal(0x56, _rig.Serve(0));
        Assert.Equal(0x56, _rig.Take(0));
        _rig.Bus.SetLevel(ApicBus.Lint0, false);
        _rig.Set(0, Eoi, 0);
        Assert.Equal(0x56u | 1 << 15, _rig.Get(0, Lint0));
        Assert.False(_rig.Cores[0].Intr);
    }

    [Fact]
    public void The_8259_pair_interrupts_through_LINT0()
    {
        var rig = new ApicRig();
        rig.Set(0, Lint0, 7 << 8);
        rig.Pic.Master.Out(0, 0x11);
        foreach (int word in new[] { 0x08, 4, 1 })
            rig.Pic.Master.Out(1, word);
        rig.Pic.SetLevel(0, true);
        Assert.Equal((true, false), (rig.Cores[0].Intr, rig.Cores[1].Intr));
        Assert.Equal(8, rig.Take(0));
        Assert.False(rig.Cores[0].Intr);
        // Of a disabled APIC, LINT0 is INTR.
        rig.Pic.SetLevel(1, true);
        rig.Pic.Master.Out(0, 0x20);
        rig.Set(0, Lint0, Masked);
        Assert.False(rig.Cores[0].Intr);
        Assert.True(rig.Apics[0].TrySetApicBase(0xfee0_0100));
        Assert.Equal(9, rig.Take(0));
    }

    [Fact]
    public void Messages()
    {
        Assert.False(_rig.Bus.Send(0xfed0_0000, 0x41));
        Assert.True(_rig.Bus.Send(0xfee0_1000, 0x41));
        Assert.Equal((-1, 0x41), (_rig.Serve(0), _rig.Serve(1)));
        _rig.Set(0, Ldr, 1 << 24);
        _rig.Set(1, Ldr, 2 << 24);
        Assert.True(_rig.Bus.Send(0xfee0_3004, 0x42));
        Assert.Equal((0x42, 0x42), (_rig.Serve(0), _rig.Serve(1)));
        _rig.Apics[1].TaskPriority = 2;
        Assert.True(_rig.Bus.Send(0xfee0_300c, 0x43));
        Assert.Equal((0x43, -1), (_rig.Serve(0), _rig.Serve(1)));
        _rig.Bus.Send(0xfee0_0000, 1 << 15 | 0x44); // deassert
        Assert.False(_rig.Cores[0].Intr);
        _rig.Bus.Send(0xfee0_0000, 3 << 14 | 0x44);
        Assert.True(_rig.Bit(0, Tmr, 0x44));
        Assert.True(_rig.Bus.Send(0xfeef_f000, 4 << 8));
        Assert.Equal((1, 1), (_rig.Cores[0].Nmis, _rig.Cores[1].Nmis));
    }

    [Fact]
    public void Modes_change_as_figure_11_27_allows()
    {
        LocalApic apic = _rig.Apics[0];
        const ulong Base = 0xfee0_0100, Enable = 1 << 11, Extended = 1 << 10;
        Assert.False(apic.TrySetApicBase(Base | Extended));
        _rig.Set(0, 0x20, 9 << 24);
        Assert.True(apic.TrySetApicBase(Base | Enable | Extended));
        Assert.False(apic.TrySetApicBase(Base | Extended));
        Assert.False(apic.TrySetApicBase(Base | Enable));
        Assert.True(apic.TrySetApicBase(Base));
        Assert.False(apic.TrySetApicBase(Base | Extended));
        Assert.False(apic.TrySetApicBase(Base | Enable | Extended));
        apic.TaskPriority = 0xa;
        Assert.True(apic.TrySetApicBase(Base | Enable));
        Assert.Equal((0xa0u, 0u, 0xffu), (_rig.Get(0, Tpr), _rig.Get(0, 0x20), _rig.Get(0, Svr)));
        foreach (ulong reserved in new[] { 1ul, 1ul << 9, 1ul << 40 })
            Assert.False(apic.TrySetApicBase(Base | Enable | reserved));
        Assert.True(apic.TrySetApicBase(0xfed4_0000 | 1 << 8 | Enable));
        Assert.Equal(0xfed4_0900u, apic.ApicBase);
        var old = new ApicRig(1, new LocalApicOptions(X2Apic: false, TscDeadline: false, SuppressEoiBroadcast: false));
        Assert.False(old.Apics[0].TrySetApicBase(Base | Enable | Extended));
        Assert.False(old.Apics[0].TryWriteMsr(0x6e0, 0) || old.Apics[0].TryReadMsr(0x6e0, out _));
        Assert.Equal(0x0005_0014u, old.Get(0, 0x30));
        old.Set(0, Svr, 0xffff_ffff);
        Assert.Equal(0x3ffu, old.Get(0, Svr));
    }

    [Fact]
    public void X2APIC_registers_are_MSRs()
    {
        Assert.False(_rig.Apics[1].TryReadMsr(0x802, out _) || _rig.Apics[1].TryWriteMsr(0x808, 0));
        _rig.EnableX2Apic(1);
        int[] readable = [2, 3, 8, 0xa, 0xd, 0xf, .. Enumerable.Range(0x10, 0x19), 0x30, .. Enumerable.Range(0x32, 8), 0x3e];
        int[] writable = [8, 0xb, 0xf, 0x28, 0x30, .. Enumerable.Range(0x32, 7), 0x3e, 0x3f];
        for (int register = 0; register < 0x100; register++)
        {
            uint msr = 0x800 + (uint)register;
            Assert.True(readable.Contains(register) == _rig.Apics[1].TryReadMsr(msr, out ulong value), $"read {msr:x}");
            Assert.Equal(0ul, value >> 32);
            Assert.True(writable.Contains(register) == _rig.Apics[1].TryWriteMsr(msr, register == 0xf ? 0x1fful : 0), $"write {msr:x}");
            if (register != 0x30)
                Assert.False(_rig.Apics[1].TryWriteMsr(msr, ulong.MaxValue), $"write -1 {msr:x}");
        }
        Assert.Equal(1u, _rig.ReadMsr(1, 0x802));
        Assert.Equal(2u, _rig.ReadMsr(1, 0x80d));
        foreach ((uint msr, ulong value) in new[] { (0x80bu, 1ul), (0x828u, 1ul), (0x83fu, 0x100ul), (0x808u, 0x100ul), (0x830u, 1ul << 20), (0x830u, 1ul << 13), (0x838u, 1ul << 32) })
            Assert.False(_rig.Apics[1].TryWriteMsr(msr, value));
    }

    [Fact]
    public void X2APIC_interrupts()
    {
        var rig = new ApicRig(18);
        for (int cpu = 0; cpu < 18; cpu++)
            rig.EnableX2Apic(cpu);
        Assert.Equal(0x0001_0002u, rig.ReadMsr(17, 0x80d));
        rig.WriteMsr(0, 0x830, 17ul << 32 | 0x70);
        Assert.Equal(17ul << 32 | 0x70, rig.ReadMsr(0, 0x830));
        Assert.Equal(0x70, rig.Take(17));
        rig.WriteMsr(17, 0x80b, 0);
        Assert.False(rig.Bit(17, Isr, 0x70));
        rig.WriteMsr(0, 0x830, 0x0001_0003ul << 32 | Logical | 0x71);
        Assert.Equal((0x71, 0x71, -1), (rig.Take(16), rig.Take(17), rig.Take(0)));
        rig.WriteMsr(0, 0x830, 0xffff_fffful << 32 | 0x72);
        Assert.All(rig.Cores, c => Assert.True(c.Intr || c.Index >= 16));
        rig.WriteMsr(3, 0x83f, 0x90);
        Assert.Equal(0x90, rig.Take(3));
        // A destination of eight bits from the I/O APIC, logical: cluster 0.
        rig.Redirect(5, Logical | 0xa5, 0x0c00_0000);
        rig.IoApic.SetLevel(5, true);
        Assert.Equal((true, true, false), (rig.Bit(2, Irr, 0xa5), rig.Bit(3, Irr, 0xa5), rig.Bit(1, Irr, 0xa5)));
    }

    [Fact]
    public void The_timer_counts_down_once()
    {
        _rig.Set(0, Divide, 0xb);
        _rig.Set(0, LvtTimer, 0xee);
        _rig.Set(0, InitialCount, 1000);
        Assert.Equal(1000u, _rig.Get(0, CurrentCount));
        _rig.Clock.Advance(400);
        Assert.Equal(600u, _rig.Get(0, CurrentCount));
        _rig.Clock.Advance(599);
        Assert.False(_rig.Cores[0].Intr);
        _rig.Clock.Advance(1);
        Assert.Equal((0u, 1000u), (_rig.Get(0, CurrentCount), _rig.Get(0, InitialCount)));
        Assert.Equal(0xee, _rig.Serve(0));
        _rig.Clock.Advance(1_000_000);
        Assert.False(_rig.Cores[0].Intr);
    }

    [Fact]
    public void The_divider_slows_it()
    {
        foreach ((uint code, uint divisor) in new[] { (0u, 2u), (1u, 4u), (2u, 8u), (3u, 16u), (8u, 32u), (9u, 64u), (10u, 128u), (11u, 1u) })
        {
            _rig.Set(0, Divide, code);
            _rig.Set(0, InitialCount, 1000);
            _rig.Clock.Advance(divisor * 10);
            Assert.Equal(990u, _rig.Get(0, CurrentCount));
        }
        _rig.Set(0, Divide, 0);
        Assert.Equal(990u, _rig.Get(0, CurrentCount));
        _rig.Clock.Advance(20);
        Assert.Equal(980u, _rig.Get(0, CurrentCount));
    }

    [Fact]
    public void Periodic_and_changes_of_mode()
    {
        const uint Count = 100_000;
        _rig.Set(0, Divide, 0xb);
        _rig.Set(0, LvtTimer, 1 << 17 | 0xee);
        _rig.Set(0, InitialCount, Count);
        for (int i = 0; i < 3; i++)
        {
            _rig.Clock.Advance(Count);
            Assert.Equal(0xee, _rig.Serve(0));
            Assert.Equal(Count, _rig.Get(0, CurrentCount));
        }
        _rig.Clock.Advance(Count / 4);
        _rig.Set(0, LvtTimer, 0xee);
        Assert.Equal(Count / 4 * 3, _rig.Get(0, CurrentCount));
        _rig.Clock.Advance(Count);
        Assert.Equal(0u, _rig.Get(0, CurrentCount));
        Assert.Equal(0xee, _rig.Serve(0));
        _rig.Set(0, LvtTimer, 1 << 17 | 0xee);
        _rig.Clock.Advance(Count * 2);
        Assert.Equal(0u, _rig.Get(0, CurrentCount));
        Assert.False(_rig.Cores[0].Intr);
        _rig.Set(0, InitialCount, Count);
        _rig.Set(0, InitialCount, 0);
        _rig.Clock.Advance(Count * 2);
        Assert.False(_rig.Cores[0].Intr);
    }

    [Fact]
    public void A_masked_timer_counts_without_interrupting()
    {
        _rig.Set(0, Divide, 0xb);
        _rig.Set(0, LvtTimer, Masked | 1 << 17 | 0xee);
        _rig.Set(0, InitialCount, 100_000);
        _rig.Clock.Advance(250_000);
        Assert.Equal(50_000u, _rig.Get(0, CurrentCount));
        _rig.Set(0, LvtTimer, 1 << 17 | 0xee);
        Assert.False(_rig.Cores[0].Intr);
        _rig.Clock.Advance(50_000);
        Assert.Equal(0xee, _rig.Serve(0));
    }

    [Fact]
    public void A_storm_of_timer_interrupts_coalesces()
    {
        _rig.Set(0, Divide, 0xb);
        _rig.Set(0, LvtTimer, 1 << 17 | 0xee);
        _rig.Set(0, InitialCount, 1);
        int callbacks = 0;
        for (; _rig.Clock.NextDeadline <= 1_000_000; callbacks++)
            _rig.Clock.AdvanceTo(_rig.Clock.NextDeadline);
        Assert.InRange(callbacks, 10, 100);
        Assert.Equal(0xee, _rig.Serve(0));
    }

    [Fact]
    public void TSC_deadline()
    {
        _rig.Cores[0].TscOffset = 5000;
        _rig.WriteMsr(0, 0x6e0, 12345); // not in that mode: ignored
        Assert.Equal(0u, _rig.ReadMsr(0, 0x6e0));
        _rig.Set(0, LvtTimer, 2 << 17 | 0xef);
        _rig.Set(0, InitialCount, 99);
        Assert.Equal(0u, _rig.Get(0, InitialCount));
        _rig.WriteMsr(0, 0x6e0, 6000);
        Assert.Equal(6000u, _rig.ReadMsr(0, 0x6e0));
        _rig.Clock.Advance(999);
        Assert.False(_rig.Cores[0].Intr);
        _rig.Clock.Advance(1);
        Assert.Equal(0xef, _rig.Serve(0));
        Assert.Equal(0u, _rig.ReadMsr(0, 0x6e0));
        // The past is now.
        _rig.WriteMsr(0, 0x6e0, 6000);
        Assert.Equal(0xef, _rig.Serve(0));
        // Zero, or another mode, disarms.
        _rig.WriteMsr(0, 0x6e0, 8000);
        _rig.WriteMsr(0, 0x6e0, 0);
        _rig.Clock.Advance(10_000);
        Assert.False(_rig.Cores[0].Intr);
        _rig.WriteMsr(0, 0x6e0, 100_000);
        _rig.Set(0, LvtTimer, 0xef);
        _rig.Clock.Advance(1_000_000);
        Assert.False(_rig.Cores[0].Intr);
        // A new offset moves it.
        _rig.Set(0, LvtTimer, 2 << 17 | 0xef);
        _rig.WriteMsr(0, 0x6e0, _rig.Clock.Now + 5000 + 1_000_000);
        _rig.Cores[0].TscOffset += 999_000;
        _rig.Apics[0].TscOffsetChanged();
        _rig.Clock.Advance(1000);
        Assert.Equal(0xef, _rig.Serve(0));
    }

    [Fact]
    public void Performance_interrupts_mask_themselves()
    {
        _rig.Set(0, LvtPerformance, 4 << 8);
        _rig.Apics[0].RaisePerformanceInterrupt();
        _rig.Apics[0].RaisePerformanceInterrupt();
        Assert.Equal(1, _rig.Cores[0].Nmis);
        Assert.Equal(Masked | 4 << 8, _rig.Get(0, LvtPerformance));
    }

    [Fact]
    public void Narrow_and_misplaced_accesses()
    {
        Assert.Equal(0x14u, _rig.Apics[0].Read(0x30, 1));
        Assert.Equal(0x05u, _rig.Apics[0].Read(0x32, 2) & 0xff);
        Assert.Equal(0u, _rig.Apics[0].Read(0x34, 4));
        Assert.Equal(0x0105_0014u, _rig.Apics[0].Read(0x30, 8));
        _rig.Apics[0].Write(0x80, 1, 0x20);
        _rig.Apics[0].Write(0x84, 4, 0x20);
        Assert.Equal(0u, _rig.Get(0, Tpr));
    }
}
