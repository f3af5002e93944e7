using Myna.Cpu.RiscV;
using Myna.Cpu.RiscV.Instructions;
using Myna.Cpu.Tests.RiscV.Instructions;

namespace Myna.Cpu.Tests.RiscV;

public class InterpreterTests
{
    private const int T0 = 5, A0 = Rig.A0;

    private static readonly uint s_increment = Rig.Encode(Opcode.Addi, A0, A0, imm: 1);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(1000)]
    [InlineData(4099)]
    public void Runs_exactly_as_many_instructions_as_asked(int count)
    {
        using Rig rig = new();
        rig.Put(Rig.Base, s_increment, Rig.Encode(Opcode.Jal, 0, imm: -4));
        Assert.Equal(StopReason.InstructionLimit, rig.Hart.Run((ulong)count));
        Assert.Equal((ulong)count, rig.Hart.Block.Context.InstructionCount);
        Assert.Equal((ulong)(count + 1) / 2, rig.X[A0]);
        Assert.Equal(Rig.Base + (count % 2 == 0 ? 0UL : 4), rig.Pc);
    }

    [Fact]
    public void Counts_what_retires_and_shows_it_to_instret()
    {
        using Rig rig = new();
        // Two that retire, one that traps; at the handler instret counts the two and its own predecessors.
        rig.Put(Rig.Base, s_increment, s_increment, 0xFFFFFFFF);
        rig.Put(Rig.Handler, s_increment, Rig.Encode(Opcode.Csrrs, T0, 0, imm: (int)CsrNumber.Minstret));
        rig.Hart.Run(4);
        Assert.Equal((3UL, 3UL), (rig.X[A0], rig.X[T0]));
        Assert.Equal(Rig.Handler + 8, rig.Pc);
    }

    [Fact]
    public void An_instruction_may_straddle_pages()
    {
        using Rig rig = new();
        ulong start = Rig.Base + 0xFFE;
        rig.Put(start, s_increment, s_increment);
        rig.Pc = start;
        rig.Hart.Run(2);
        Assert.Equal((2UL, start + 8), (rig.X[A0], rig.Pc));
    }

    [Fact]
    public void An_instruction_that_leaves_memory_faults_at_its_second_half()
    {
        using Rig rig = new();
        ulong start = Rig.Base + 0xFFFE;
        rig.Ram.GetForWrite(0xFFFE, 2)[0] = 0x13;
        rig.Pc = start;
        rig.Interpreter.Step();
        rig.AssertTrapped(Cause.InstructionAccessFault, Rig.Base + 0x10000);
        Assert.Equal(start, rig.Csr(CsrNumber.Mepc));
    }

    [Fact]
    public void A_jump_out_of_memory_faults_at_the_target()
    {
        using Rig rig = new();
        rig.X[T0] = 0x1000;
        rig.Put(Rig.Base, Rig.Encode(Opcode.Jalr, 1, T0));
        rig.Put(Rig.Handler, s_increment);
        rig.Hart.Run(2);
        Assert.Equal((0x1000UL, Rig.Base + 4, 1UL), (rig.Csr(CsrNumber.Mepc), rig.X[1], rig.X[A0]));
        Assert.Equal((ulong)Cause.InstructionAccessFault, rig.Csr(CsrNumber.Mcause));
    }

    [Fact]
    public void After_fence_i_stored_instructions_are_executed()
    {
        using Rig rig = new();
        // 0: a0 += 1; 4: store t0 over 0; 8: fence.i; 12: jump to 0.
        rig.Put(Rig.Base, s_increment, Rig.Encode(Opcode.Sw, 0, 6, T0), Rig.Encode(Opcode.FenceI), Rig.Encode(Opcode.Jal, 0, imm: -12));
        rig.X[T0] = Rig.Encode(Opcode.Addi, A0, A0, imm: 100);
        rig.X[6] = Rig.Base;
        rig.Hart.Run(8);
        Assert.Equal(101UL, rig.X[A0]);
    }

    [Fact]
    public void Code_changed_between_two_runs_is_seen()
    {
        using Rig rig = new();
        rig.Put(Rig.Base, s_increment, Rig.Encode(Opcode.Jal, 0, imm: -4));
        rig.Hart.Run(2);
        rig.Put(Rig.Base, Rig.Encode(Opcode.Addi, A0, A0, imm: 100));
        rig.Hart.Run(2);
        Assert.Equal(101UL, rig.X[A0]);
    }

    [Fact]
    public void A_kick_stops_an_endless_loop()
    {
        using Rig rig = new();
        rig.Put(Rig.Base, Rig.Encode(Opcode.Jal, 0, imm: 0));
        rig.Hart.Kick();
        Assert.Equal(StopReason.Kicked, rig.Hart.Run());
        Thread kicker = new(() =>
        {
            SpinWait.SpinUntil(() => Volatile.Read(ref rig.Hart.Block.Context.InstructionCount) > 0);
            rig.Hart.Kick();
        });
        // Also when all that executes is a trap into itself: nothing retires there.
        rig.Put(Rig.Handler, 0xFFFFFFFF);
        rig.Put(Rig.Base, s_increment, 0xFFFFFFFF);
        kicker.Start();
        Assert.Equal(StopReason.Kicked, rig.Hart.Run());
        kicker.Join();
    }

    [Fact]
    public void Executing_allocates_nothing()
    {
        using Rig rig = new();
        rig.Put(Rig.Base, s_increment, Rig.Encode(Opcode.Ld, T0, 6), Rig.Encode(Opcode.FaddD, 1, 1, 1), Rig.Encode(Opcode.Csrrs, T0, 0, imm: (int)CsrNumber.Mscratch), Rig.Encode(Opcode.Jal, 0, imm: -16));
        rig.X[6] = Rig.Data;
        rig.Interpreter.Run(1000);
        long before = GC.GetAllocatedBytesForCurrentThread();
        rig.Interpreter.Run(100_000);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
