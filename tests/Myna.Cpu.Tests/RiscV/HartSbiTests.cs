using Myna.Cpu.RiscV;
using Myna.Cpu.RiscV.Sbi;
using Myna.Hardware.Memory;
using Myna.Hardware.Time;
using Myna.Jit.Operations;

namespace Myna.Cpu.Tests.RiscV;

/// <summary>Real harts under the built-in SBI.</summary>
public sealed class HartSbiTests : IDisposable
{
    private const ulong Base = 0x8000_0000, Hsm = 0x48534D, Ipi = 0x735049, Rfence = 0x52464E43, Timer = 0x54494D45;
    private readonly Platform _platform = new();
    private readonly Hart[] _harts;

    public HartSbiTests()
    {
        var firmware = new SbiFirmware(_platform);
        _harts = [Make(0, firmware), Make(1, firmware)];
        _platform.Harts = _harts;
        Assert.True(_harts[0].TryStart(Base, 0x1234));
        Assert.Equal(StopReason.InstructionLimit, _harts[0].Run(0));
    }

    private Hart Make(int id, SbiFirmware firmware)
    {
        var hart = new Hart(new HartOptions { HartId = id, Memory = _platform.Memory, Clock = _platform.Clock, Firmware = firmware }) { BlocksWhileWaiting = false };
        hart.Stepper = new Interpreter(hart);
        hart.Engine = hart.Stepper;
        return hart;
    }

    public void Dispose()
    {
        foreach (Hart hart in _harts)
            hart.Dispose();
    }

    private static ulong Call(Hart hart, ulong extension, ulong function, params ulong[] arguments)
    {
        for (int i = 0; i < arguments.Length; i++)
            hart.Registers64.X[10 + i] = arguments[i];
        hart.Registers64.X[16] = function;
        hart.Registers64.X[17] = extension;
        Assert.True(hart.Ecall());
        return hart.Registers64.X[10];
    }

    private static ulong Csr(Hart hart, CsrNumber csr)
    {
        Assert.True(hart.TryReadRegister(65 + (int)csr, out ulong value));
        return value;
    }

    private void Code(ulong offset, params uint[] instructions)
    {
        for (int i = 0; i < instructions.Length; i++)
            Assert.True(_platform.Memory.Store(Base + offset + (4 * (ulong)i), 4, instructions[i]));
    }

    [Fact]
    public void The_boot_hart_starts_in_supervisor_mode_with_its_arguments_and_the_others_wait()
    {
        Assert.Equal(PrivilegeLevel.Supervisor, _harts[0].Privilege);
        Assert.Equal((Base, 0UL, 0x1234UL), (_harts[0].Pc, _harts[0].Registers64.X[10], _harts[0].Registers64.X[11]));
        Assert.Equal(StopReason.Waiting, _harts[1].Run(10));
        Assert.Equal(0UL, _harts[1].Block.Context.InstructionCount);
        // The environment a kernel relies on: memory open, counters open, timer of its own.
        Assert.True(_harts[0].Load(Base, MemSize.B8, out _));
        foreach (CsrNumber csr in (CsrNumber[])[CsrNumber.Time, CsrNumber.Cycle, CsrNumber.Instret, CsrNumber.Stimecmp, CsrNumber.Satp])
            Assert.True(_harts[0].Csr((int)csr, CsrOp.Set, 0, false, out _));
    }

    [Fact]
    public void Exceptions_of_both_modes_reach_the_kernel()
    {
        _harts[0].Csr((int)CsrNumber.Stvec, CsrOp.Write, Base + 0x100, true, out _);
        foreach (Cause cause in Enum.GetValues<Cause>())
        {
            if (cause is Cause.EcallFromS or Cause.EcallFromM)
                continue;
            _harts[0].Raise(cause, 0);
            Assert.Equal((PrivilegeLevel.Supervisor, Base + 0x100), (_harts[0].Privilege, _harts[0].Pc));
            Assert.Equal((ulong)cause, Csr(_harts[0], CsrNumber.Scause));
        }
    }

    [Fact]
    public void A_hart_is_started_stopped_and_started_again()
    {
        Code(0x200, 0x00100293, 0x10500073); // li t0, 1; wfi
        Assert.Equal(1UL, (ulong)((ISbiHart)_harts[1]).HsmState);
        Assert.Equal(0UL, Call(_harts[0], Hsm, 0, 1, Base + 0x200, 77));
        Assert.Equal(unchecked((ulong)-6), Call(_harts[0], Hsm, 0, 1, Base + 0x200, 77));
        Assert.Equal(StopReason.Waiting, _harts[1].Run(100));
        Assert.Equal((1UL, 77UL, 1UL), (_harts[1].Registers64.X[5], _harts[1].Registers64.X[11], _harts[1].Registers64.X[10]));
        Assert.Equal(2UL, _harts[1].Block.Context.InstructionCount);
        _harts[1].Registers64.X[16] = 1;
        _harts[1].Registers64.X[17] = Hsm;
        _harts[1].Ecall();
        Assert.Equal(StopReason.Waiting, _harts[1].Run(100));
        Assert.Equal(HartState.Stopped, ((ISbiHart)_harts[1]).HsmState);
        // An interrupt does not wake a stopped hart.
        Call(_harts[0], Ipi, 0, 2, 0);
        Assert.Equal(StopReason.Waiting, _harts[1].Run(100));
        Assert.Equal(0UL, Call(_harts[0], Hsm, 0, 1, Base + 0x204, 78));
        Assert.Equal(StopReason.InstructionLimit, _harts[1].Run(0));
        Assert.Equal((Base + 0x204, 78UL), (_harts[1].Pc, _harts[1].Registers64.X[11]));
    }

    [Fact]
    public void Interprocessor_and_timer_interrupts_arrive()
    {
        _harts[0].Csr((int)CsrNumber.Stvec, CsrOp.Write, Base + 0x100, true, out _);
        _harts[0].Csr((int)CsrNumber.Sie, CsrOp.Write, 0x22, true, out _);
        _harts[0].Csr((int)CsrNumber.Sstatus, CsrOp.Set, 2, true, out _);
        Call(_harts[0], Ipi, 0, 1, 0);
        _harts[0].Run(0);
        Assert.Equal(1UL << 63 | 1, Csr(_harts[0], CsrNumber.Scause));
        _harts[0].Csr((int)CsrNumber.Sip, CsrOp.Clear, 2, true, out _);
        Call(_harts[0], Timer, 0, 50);
        _harts[0].Csr((int)CsrNumber.Sstatus, CsrOp.Set, 2, true, out _);
        _platform.Clock.Advance(4_900);
        _harts[0].Run(0);
        Assert.Equal(1UL << 63 | 1, Csr(_harts[0], CsrNumber.Scause));
        _platform.Clock.Advance(100);
        _harts[0].Run(0);
        Assert.Equal(1UL << 63 | 5, Csr(_harts[0], CsrNumber.Scause));
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(0x8000_0000u)]
    public void Suspension_ends_with_an_enabled_interrupt(uint type)
    {
        _harts[0].Csr((int)CsrNumber.Sie, CsrOp.Write, 2, true, out _);
        _harts[0].Pc = Base + 0x40;
        ulong result = Call(_harts[0], Hsm, 3, type, Base + 0x300, 99);
        Assert.Equal(StopReason.Waiting, _harts[0].Run(0));
        Assert.Equal(HartState.Suspended, ((ISbiHart)_harts[0]).HsmState);
        ((ISbiHart)_harts[0]).SetSupervisorSoftwareInterrupt(true);
        Assert.Equal(StopReason.InstructionLimit, _harts[0].Run(0));
        Assert.Equal(HartState.Started, ((ISbiHart)_harts[0]).HsmState);
        if (type == 0)
        {
            Assert.Equal(0UL, result);
            Assert.Equal(Base + 0x40, _harts[0].Pc);
        }
        else
        {
            Assert.Equal((Base + 0x300, 99UL), (_harts[0].Pc, _harts[0].Registers64.X[11]));
        }
    }

    [Theory]
    [InlineData(1ul, 0x1000ul, 0x1000ul, 0ul, true)]
    [InlineData(1ul, 0x5000ul, 0x1000ul, 0ul, false)]
    [InlineData(1ul, 0ul, 0ul, 0ul, true)]
    [InlineData(1ul, 0ul, ulong.MaxValue, 0ul, true)]
    [InlineData(1ul, 0x0ul, 0x10_0000ul, 0ul, true)]
    [InlineData(2ul, 0x1000ul, 0x1000ul, 7ul, true)]
    [InlineData(2ul, 0x1000ul, 0x1000ul, 8ul, false)]
    public void Remote_fences_are_performed_before_the_targets_next_instruction(ulong function, ulong start, ulong size, ulong asid, bool forgets)
    {
        // Hart 1 runs with a page table that maps 0x1000 to the RAM, and has used it.
        const ulong Root = Base + 0x10000;
        _platform.Memory.Store(Root, 8, (Root + 0x1000) >> 12 << 10 | 1);
        _platform.Memory.Store(Root + 0x1000, 8, (Root + 0x2000) >> 12 << 10 | 1);
        _platform.Memory.Store(Root + 0x2008, 8, (Base + 0x3000) >> 12 << 10 | 0xCF);
        Hart target = _harts[1];
        Call(_harts[0], Hsm, 0, 1, Base, 0);
        target.Run(0);
        target.Csr((int)CsrNumber.Satp, CsrOp.Write, 8UL << 60 | 7UL << 44 | Root >> 12, true, out _);
        Assert.True(target.Load(0x1000, MemSize.B8, out _));
        _platform.Memory.Store(Root + 0x2008, 8, 0);
        Assert.Equal(0UL, Call(_harts[0], Rfence, function, 2, 0, start, size, asid));
        Assert.True(target.Load(0x1000, MemSize.B8, out _));
        target.Run(0);
        Assert.Equal(!forgets, target.Load(0x1000, MemSize.B8, out _));
    }

    [Fact]
    public void Two_harts_that_fence_each_other_all_the_time_both_get_on()
    {
        // loop: li a7, RFNC; li a6, 0; li a0, mask; li a1, 0; ecall; addi s0, s0, 1; bne s0, s1, loop; wfi
        Code(0x400,
            0x0040_0537, // lui a0, 0x400 (replaced by a mask below)
            0x0000_0013, 0x000A_0893, // nop; mv a7, s4
            0x0000_0813, // li a6, 0
            0x000A_8513, // mv a0, s5
            0x0000_0593, // li a1, 0
            0x0000_0073, // ecall
            0x0014_0413, // addi s0, s0, 1
            0xFE94_16E3, // bne s0, s1, -20 (li a6…)
            0x1050_0073); // wfi
        Call(_harts[0], Hsm, 0, 1, Base + 0x400, 0);
        _harts[1].Run(0);
        _harts[0].Pc = Base + 0x400;
        foreach (Hart hart in _harts)
        {
            hart.Registers64.X[8] = 0;
            hart.Registers64.X[9] = 2000;
            hart.Registers64.X[20] = Rfence;
            hart.Registers64.X[21] = 3;
            hart.BlocksWhileWaiting = true;
        }
        Array.ForEach(_harts, h => h.Start());
        // They end in WFI for ever; a hart that waits for a fence of one that waits must not hang.
        Assert.True(SpinWait.SpinUntil(() => _harts.All(h => h.Registers64.X[8] == 2000), 60_000));
        Array.ForEach(_harts, h => h.Pause());
    }

    private sealed class Platform : ISbiPlatform
    {
        public Platform() => Memory.Map(Base, new Ram("ram", 1 << 20));

        public AddressSpace Memory { get; } = new();
        public ManualClock Clock { get; } = new();
        public IReadOnlyList<ISbiHart> Harts { get; set; } = [];
        public bool ReadPhysical(ulong address, Span<byte> destination) => Memory.Read(address, destination);
        public bool WritePhysical(ulong address, ReadOnlySpan<byte> source) => Memory.Write(address, source);
        public void ConsoleWrite(ReadOnlySpan<byte> bytes) { }
        public int ConsoleRead(Span<byte> bytes) => 0;
        public void SystemReset(SystemResetType type, bool failure) { }
    }
}
