using Myna.Cpu.RiscV;

namespace Myna.Cpu.Tests.RiscV;

/// <summary>Exceptions, delegation, interrupts, returns, waiting, timers and counters.</summary>
public sealed class TrapTests : IDisposable
{
    private const ulong Interrupt = 1UL << 63;
    private readonly HartFixture _f = new();

    public void Dispose() => _f.Dispose();

    // One look at pending interrupts, no instruction.
    private StopReason Service() => _f.Hart.Run(0);

    [Fact]
    public void A_trap_to_machine_mode_stacks_state_and_mret_restores_it()
    {
        _f.Write(CsrNumber.Mtvec, 0x8000_1000);
        _f.Enter(PrivilegeLevel.User);
        _f.Hart.TryWriteRegister(65 + 0x300, 1 << 3); // MIE
        _f.Hart.Pc = 0x8000_0044;
        Assert.False(_f.Hart.Raise(Cause.LoadAccessFault, 0x55));
        Assert.Equal(0x8000_1000UL, _f.Hart.Pc);
        Assert.Equal(0x8000_0044UL, _f.Read(CsrNumber.Mepc));
        _f.AssertTrap(Cause.LoadAccessFault, 0x55);
        Assert.Equal(1UL << 7, _f.Read(CsrNumber.Mstatus) & 0x1888); // MPIE, MIE = 0, MPP = U
        Assert.True(_f.Hart.Mret());
        Assert.Equal(PrivilegeLevel.User, _f.Hart.Privilege);
        Assert.Equal(0x8000_0044UL, _f.Hart.Pc);
        _f.Hart.TryReadRegister(65 + 0x300, out ulong status);
        Assert.Equal(0x88UL, status & 0x1888); // MIE = MPIE, MPIE = 1, MPP = U
    }

    [Fact]
    public void Delegated_exceptions_go_to_supervisor_mode_except_from_machine_mode()
    {
        _f.Write(CsrNumber.Medeleg, 1 << (int)Cause.LoadPageFault);
        _f.Write(CsrNumber.Stvec, 0x8000_2001); // vectored: exceptions go to the base even so
        _f.Enter(PrivilegeLevel.Supervisor);
        _f.Set(CsrNumber.Sstatus, 2);
        _f.Hart.Pc = 0x8000_0100;
        _f.Hart.Raise(Cause.LoadPageFault, 0x77);
        Assert.Equal(PrivilegeLevel.Supervisor, _f.Hart.Privilege);
        Assert.Equal(0x8000_2000UL, _f.Hart.Pc);
        Assert.Equal((13UL, 0x77UL, 0x8000_0100UL), (_f.Read(CsrNumber.Scause), _f.Read(CsrNumber.Stval), _f.Read(CsrNumber.Sepc)));
        Assert.Equal(0x120UL, _f.Read(CsrNumber.Sstatus) & 0x122); // SPP = S, SPIE, SIE = 0
        Assert.True(_f.Hart.Sret());
        Assert.Equal(0x22UL, _f.Read(CsrNumber.Sstatus) & 0x122);
        Assert.Equal(PrivilegeLevel.Supervisor, _f.Hart.Privilege);
        _f.Enter(PrivilegeLevel.Machine);
        _f.Hart.Raise(Cause.LoadPageFault, 0x78);
        _f.AssertTrap(Cause.LoadPageFault, 0x78);
    }

    [Theory]
    [InlineData(PrivilegeLevel.User, Cause.EcallFromU)]
    [InlineData(PrivilegeLevel.Supervisor, Cause.EcallFromS)]
    [InlineData(PrivilegeLevel.Machine, Cause.EcallFromM)]
    public void Environment_calls_name_the_mode_they_come_from(PrivilegeLevel from, Cause cause)
    {
        _f.Enter(from);
        Assert.False(_f.Hart.Ecall());
        _f.AssertTrap(cause, 0);
    }

    [Fact]
    public void Mprv_is_cleared_by_returns_to_less_privileged_modes()
    {
        _f.Write(CsrNumber.Mstatus, 1 << 17 | 3 << 11);
        Assert.True(_f.Hart.Mret());
        Assert.Equal(1UL << 17, _f.Read(CsrNumber.Mstatus) & 1 << 17);
        _f.Write(CsrNumber.Mstatus, 1 << 17 | 1 << 11);
        Assert.True(_f.Hart.Mret());
        _f.Enter(PrivilegeLevel.Machine);
        Assert.Equal(0UL, _f.Read(CsrNumber.Mstatus) & 1 << 17);
    }

    [Fact]
    public void Interrupts_are_taken_in_their_order_of_priority()
    {
        _f.Write(CsrNumber.Mtvec, 0x8000_1001);
        _f.Write(CsrNumber.Mie, ulong.MaxValue);
        foreach (int input in (int[])[3, 7, 9, 11])
            _f.Hart.SetLevel(input, true);
        _f.Write(CsrNumber.Mip, ulong.MaxValue);
        foreach (int expected in (int[])[11, 3, 7, 9, 1, 5, 13])
        {
            _f.Set(CsrNumber.Mstatus, 8);
            Service();
            Assert.Equal(Interrupt | (uint)expected, _f.Read(CsrNumber.Mcause));
            Assert.Equal(0x8000_1000UL + (4 * (ulong)expected), _f.Hart.Pc);
            _f.Hart.SetLevel(expected, false);
            _f.Clear(CsrNumber.Mip, 1UL << expected);
        }
    }

    [Fact]
    public void Machine_interrupts_precede_delegated_ones()
    {
        _f.Write(CsrNumber.Mideleg, 1 << 9);
        _f.Write(CsrNumber.Mie, 1 << 9 | 1 << 5);
        _f.Write(CsrNumber.Mip, 1 << 9 | 1 << 5);
        _f.Enter(PrivilegeLevel.User);
        Service();
        Assert.Equal(PrivilegeLevel.Machine, _f.Hart.Privilege);
        Assert.Equal(Interrupt | 5, _f.Read(CsrNumber.Mcause));
        _f.Clear(CsrNumber.Mip, 1 << 5);
        _f.Enter(PrivilegeLevel.User);
        Service();
        Assert.Equal(PrivilegeLevel.Supervisor, _f.Hart.Privilege);
        Assert.Equal(Interrupt | 9, _f.Read(CsrNumber.Scause));
    }

    [Theory]
    // Mode, MIE, SIE, delegated -> taken in mode (or -1).
    [InlineData(PrivilegeLevel.Machine, false, false, false, -1)]
    [InlineData(PrivilegeLevel.Machine, true, false, false, 3)]
    [InlineData(PrivilegeLevel.Machine, true, true, true, -1)]
    [InlineData(PrivilegeLevel.Supervisor, false, false, false, 3)]
    [InlineData(PrivilegeLevel.Supervisor, true, false, true, -1)]
    [InlineData(PrivilegeLevel.Supervisor, false, true, true, 1)]
    [InlineData(PrivilegeLevel.User, false, false, false, 3)]
    [InlineData(PrivilegeLevel.User, false, false, true, 1)]
    public void Global_enables_count_only_in_their_own_mode(PrivilegeLevel mode, bool mie, bool sie, bool delegated, int taken)
    {
        _f.Write(CsrNumber.Mideleg, delegated ? 2u : 0);
        _f.Write(CsrNumber.Mie, 2);
        _f.Enter(mode);
        _f.Hart.TryReadRegister(65 + 0x300, out ulong status);
        _f.Hart.TryWriteRegister(65 + 0x300, status & ~0xAUL | (mie ? 8u : 0) | (sie ? 2u : 0));
        _f.Hart.SetLevel(1, true);
        ulong pc = _f.Hart.Pc;
        Service();
        Assert.Equal(taken < 0 ? mode : (PrivilegeLevel)taken, _f.Hart.Privilege);
        Assert.Equal(taken < 0 ? pc : 0, _f.Hart.Pc);
    }

    [Fact]
    public void Enabling_a_pending_interrupt_requests_an_exit()
    {
        _f.Hart.SetLevel(7, true);
        _f.Write(CsrNumber.Mie, 1 << 7);
        Service();
        _f.Hart.Block.Context.ExitRequest = 0;
        _f.Set(CsrNumber.Mstatus, 8);
        Assert.NotEqual(0, _f.Hart.Block.Context.ExitRequest);
    }

    [Fact]
    public void Waiting_ends_with_an_enabled_interrupt_even_when_none_may_be_taken()
    {
        _f.Write(CsrNumber.Mie, 1 << 7);
        Assert.True(_f.Hart.Wfi());
        Assert.Equal(StopReason.Waiting, Service());
        _f.Hart.SetLevel(3, true);
        Assert.Equal(StopReason.Waiting, Service());
        _f.Hart.SetLevel(7, true);
        Assert.Equal(StopReason.InstructionLimit, Service());
        Assert.Equal(HartFixture.Base, _f.Hart.Pc);
    }

    [Fact]
    public void A_kick_ends_the_run_and_the_wait_goes_on_later()
    {
        _f.Hart.Wfi();
        _f.Hart.Kick();
        Assert.Equal(StopReason.Kicked, Service());
        Assert.Equal(StopReason.Waiting, Service());
    }

    [Fact]
    public void A_thread_blocks_in_wfi_until_an_interrupt_or_a_pause()
    {
        _f.Hart.BlocksWhileWaiting = true;
        _f.Write(CsrNumber.Mie, 1 << 7);
        _f.Hart.Wfi();
        _f.Hart.Start();
        _f.Hart.Pause();
        Assert.True(_f.Hart.IsPaused);
        _f.Hart.BlocksWhileWaiting = false;
        Assert.Equal(StopReason.Waiting, Service());
    }

    [Fact]
    public void Supervisor_timer_compares_with_time_when_sstc_is_on()
    {
        _f.Write(CsrNumber.Stimecmp, 100);
        _f.Write(CsrNumber.Mip, 1 << 5);
        Assert.Equal(1UL << 5, _f.Read(CsrNumber.Mip));
        _f.Write(CsrNumber.Menvcfg, 1UL << 63);
        // Now STIP is stimecmp's alone.
        Assert.Equal(0UL, _f.Read(CsrNumber.Mip));
        _f.Clock.Advance(9_999);
        Assert.Equal(99UL, _f.Read(CsrNumber.Time));
        Assert.Equal(0UL, _f.Read(CsrNumber.Mip));
        _f.Clock.Advance(1);
        Assert.Equal(1UL << 5, _f.Read(CsrNumber.Mip));
        _f.Write(CsrNumber.Mip, 0);
        Assert.Equal(1UL << 5, _f.Read(CsrNumber.Mip));
        _f.Write(CsrNumber.Stimecmp, 101);
        Assert.Equal(0UL, _f.Read(CsrNumber.Mip));
        _f.Write(CsrNumber.Stimecmp, 0);
        Assert.Equal(1UL << 5, _f.Read(CsrNumber.Mip));
    }

    [Fact]
    public void Stimecmp_needs_stce_and_tm_below_machine_mode()
    {
        _f.Enter(PrivilegeLevel.Supervisor);
        _f.AssertIllegal(CsrNumber.Stimecmp);
        _f.Enter(PrivilegeLevel.Machine);
        _f.Write(CsrNumber.Menvcfg, 1UL << 63);
        _f.Enter(PrivilegeLevel.Supervisor);
        _f.AssertIllegal(CsrNumber.Stimecmp);
        _f.Enter(PrivilegeLevel.Machine);
        _f.Write(CsrNumber.Mcounteren, 2);
        _f.Enter(PrivilegeLevel.Supervisor);
        _f.Write(CsrNumber.Stimecmp, 7);
    }

    [Fact]
    public void Time_works_at_frequencies_that_do_not_divide_a_second()
    {
        using var f = new HartFixture(hertz: 32_768);
        f.Clock.Advance(1_000_000_000);
        Assert.Equal(32_768UL, f.Read(CsrNumber.Time));
    }

    [Fact]
    public void Instret_counts_and_can_be_written_and_inhibited()
    {
        ref ulong retired = ref _f.Hart.Block.Context.InstructionCount;
        _f.Write(CsrNumber.Minstret, 100);
        retired++; // the write itself, which must not count
        Assert.Equal(100UL, _f.Read(CsrNumber.Minstret));
        retired += 5;
        Assert.Equal(105UL, _f.Read(CsrNumber.Minstret));
        _f.Write(CsrNumber.Mcountinhibit, 4);
        retired += 50;
        Assert.Equal(105UL, _f.Read(CsrNumber.Instret));
        _f.Write(CsrNumber.Minstret, 7);
        Assert.Equal(7UL, _f.Read(CsrNumber.Minstret));
        _f.Write(CsrNumber.Mcountinhibit, 0);
        retired += 2;
        Assert.Equal(9UL, _f.Read(CsrNumber.Minstret));
    }

    [Fact]
    public void Cycle_moves_with_the_clock_and_its_offset()
    {
        _f.Write(CsrNumber.Mcycle, 1000);
        _f.Clock.Advance(25);
        Assert.Equal(1025UL, _f.Read(CsrNumber.Cycle));
        _f.Write(CsrNumber.Mcountinhibit, 1);
        _f.Clock.Advance(25);
        Assert.Equal(1025UL, _f.Read(CsrNumber.Cycle));
    }

    [Fact]
    public void A_counter_that_overflows_sets_of_and_interrupts_once()
    {
        const CsrNumber Counter = CsrNumber.Mhpmcounter3 + 1, Event = CsrNumber.Mhpmevent3 + 1;
        _f.Write(Event, 1);
        _f.Write(Counter, unchecked((ulong)-50_000));
        _f.Clock.Advance(49_000);
        Service();
        Assert.Equal(0UL, _f.Read(CsrNumber.Mip));
        Assert.Equal(0UL, _f.Read(CsrNumber.Scountovf));
        for (int i = 0; i < 10; i++)
        {
            _f.Clock.Advance(1_000);
            Service();
        }
        Assert.Equal(1UL << 13, _f.Read(CsrNumber.Mip));
        Assert.Equal(1UL << 4, _f.Read(CsrNumber.Scountovf));
        Assert.Equal(1UL << 63 | 1, _f.Read(Event));
        // Until software clears OF there is no further interrupt.
        _f.Clear(CsrNumber.Mip, 1 << 13);
        _f.Write(Counter, ulong.MaxValue);
        _f.Clock.Advance(100_000);
        Service();
        Assert.Equal(0UL, _f.Read(CsrNumber.Mip));
        // S-mode sees the counters opened to it.
        _f.Enter(PrivilegeLevel.Supervisor);
        Assert.Equal(0UL, _f.Read(CsrNumber.Scountovf));
    }
}
