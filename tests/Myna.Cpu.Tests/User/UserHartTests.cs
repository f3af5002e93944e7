using System.Runtime.InteropServices;
using Myna.Cpu.Engines;
using Myna.Cpu.RiscV;
using Myna.Hardware.Memory;
using Myna.Hardware.Time;
using Myna.Jit.Engine;
using Myna.Jit.Memory;
using Myna.Jit.User;

namespace Myna.Cpu.Tests.User;

/// <summary>Exceptions end the run, with pc at the instruction and all registers as they were before it.</summary>
[Collection("user memory")]
public sealed class UserHartTests
{
    private const uint Ecall = 0x0000_0073;

    private static void Run(bool translate, uint[] code, Action<Hart, UserSpace> check, PageRights? rights = null)
        => Run(translate, MemoryMarshal.AsBytes<uint>(code), (hart, space, _) => check(hart, space), rights);

    private static void Run(bool translate, ReadOnlySpan<byte> code, Action<Hart, UserSpace, JitCounters?> check, PageRights? rights = null)
    {
        if (translate && !HartTranslator.IsSupported)
            return;
        using var space = new UserSpace();
        if (rights is { } r)
            space.CodeRights = r;
        space.Put(0, code);
        var memory = new DirectMemory(space);
        AddressSpace none = new();
        using var hart = new Hart(new HartOptions { Memory = none, Clock = new ManualClock(), User = memory });
        using HartTranslator? translator = translate ? new HartTranslator(none, user: memory) : null;
        var interpreter = new Interpreter(hart);
        ICpuEngine engine = translator?.CreateEngine(hart, interpreter) ?? interpreter;
        hart.Stepper = interpreter;
        hart.Engine = engine;
        hart.Pc = space.Code;
        hart.Registers64.X[10] = space.Data;
        Assert.Equal(StopReason.Trap, hart.Run());
        check(hart, space, translator?.Counters);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_instruction_that_straddles_two_pages_is_translated_and_follows_a_change_of_either(bool translate)
    {
        // auipc a3, 1; li a5, 0x56; li a1, 1000; j 0xFFE
        uint[] first = [0x0000_1697, 0x0560_0793, 0x3E80_0593, 0x7F30_006F];
        // At 0xFFE: addi a2, a2, 3; addi a1, a1, -1; bnez a1, 0xFFE; bnez a4, 0x1022; li a4, 1; li a1, 1000; sh a5, (a3); fence.i; j 0xFFE; ecall
        // What is stored is the upper half of addi a2, a2, 5.
        uint[] second = [0x0036_0613, 0xFFF5_8593, 0xFE05_9CE3, 0x0007_1C63, 0x0010_0713, 0x3E80_0593, 0x00F6_9023, 0x0000_100F, 0xFE1F_F06F, 0x0000_0073];
        byte[] code = new byte[0xFFE + (4 * second.Length)];
        MemoryMarshal.AsBytes<uint>(first).CopyTo(code);
        MemoryMarshal.AsBytes<uint>(second).CopyTo(code.AsSpan(0xFFE));
        Run(translate, code, (hart, space, counters) =>
        {
            Assert.Equal(Cause.EcallFromU, hart.TrapCause);
            Assert.Equal(8000u, hart.Registers64.X[12]);
            if (counters is not null)
                Assert.InRange(counters.Lookups + counters.Interpreted, 1, 100);
        }, PageRights.Read | PageRights.Write | PageRights.Execute);
    }


    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Ecall_stops_at_the_instruction(bool translate)
        // li a1, 7; sd a1, 8(a0); ld a2, 8(a0); ecall
        => Run(translate, [0x0070_0593, 0x00B5_3423, 0x0085_3603, Ecall], (hart, space) =>
        {
            Assert.Equal(Cause.EcallFromU, hart.TrapCause);
            Assert.Equal(space.Code + 12, hart.Pc);
            Assert.Equal(7u, hart.Registers64.X[12]);
            Assert.Equal(7u, space.Word(8));
        });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_rounding_mode_is_read_and_written_whether_it_changes_or_not(bool translate)
        // li a1, 2; fsrm a2, a1; frrm a3; fsrm a4, a1; li a5, 0x45; fscsr a6, a5; frcsr a7; li t0, 0x69; fscsr t1, t0; frcsr t2; frflags t3; fsrm t4, zero; frcsr t5; ecall
        => Run(translate, [0x0020_0593, 0x0025_9673, 0x0020_26F3, 0x0025_9773, 0x0450_0793, 0x0037_9873, 0x0030_28F3, 0x0690_0293, 0x0032_9373, 0x0030_23F3, 0x0010_2E73, 0x0020_1EF3, 0x0030_2F73, 0x0000_0073], (hart, space) =>
        {
            Assert.Equal(Cause.EcallFromU, hart.TrapCause);
            RegisterFile x = hart.Registers64.X;
            Assert.Equal<ulong>([0, 2, 2, 0x40, 0x45], [x[12], x[13], x[14], x[16], x[17]]);
            Assert.Equal<ulong>([0x45, 0x69, 9, 3, 9], [x[6], x[7], x[28], x[29], x[30]]);
        });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_load_from_nowhere_leaves_the_registers_of_the_instruction_before(bool translate)
        // li a1, 7; li a2, 9; addi a1, a1, 1; ld a2, 16(zero); li a1, 0
        => Run(translate, [0x0070_0593, 0x0090_0613, 0x0015_8593, 0x0100_3603, 0x0000_0593], (hart, space) =>
        {
            Assert.Equal(Cause.LoadPageFault, hart.TrapCause);
            Assert.Equal(16u, hart.TrapValue);
            Assert.Equal(space.Code + 12, hart.Pc);
            Assert.Equal(8u, hart.Registers64.X[11]);
            Assert.Equal(9u, hart.Registers64.X[12]);
        });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_misaligned_atomic_is_reported_and_changes_nothing(bool translate)
        // addi a0, a0, 4; li a1, 1; amoadd.d a2, a1, (a0)
        => Run(translate, [0x0045_0513, 0x0010_0593, 0x00B5_362F], (hart, space) =>
        {
            Assert.Equal(Cause.StoreAddressMisaligned, hart.TrapCause);
            Assert.Equal(space.Data + 4, hart.TrapValue);
            Assert.Equal(0u, space.Word(0));
        });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Atomics_work_on_the_processs_memory(bool translate)
        // li a1, -5; amoadd.w a2, a1, (a0); amomaxu.w a3, zero, (a0); lr.w a4, (a0); sc.w a5, a1, (a0); ecall
        => Run(translate, [0xFFB0_0593, 0x00B5_262F, 0xE005_26AF, 0x1005_272F, 0x18B5_27AF, Ecall], (hart, space) =>
        {
            Assert.Equal(Cause.EcallFromU, hart.TrapCause);
            Assert.Equal(0u, hart.Registers64.X[12]);
            Assert.Equal(unchecked((ulong)-5L), hart.Registers64.X[13]);
            Assert.Equal(unchecked((ulong)-5L), hart.Registers64.X[14]);
            Assert.Equal(0u, hart.Registers64.X[15]);
            Assert.Equal(0xFFFF_FFFBu, space.Word(0));
        });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Code_that_the_program_changes_is_executed_as_it_is_then(bool translate)
    {
        // auipc a2, 0; lw a3, 32(a2); li a1, 1; beqz a4, +8; ecall; li a4, 1; sw a3, 8(a2); j -20; (li a1, 2)
        // The second pass finds li a1, 2 where li a1, 1 was.
        uint[] code = [0x0000_0617, 0x0206_2683, 0x0010_0593, 0x0007_0463, Ecall, 0x0010_0713, 0x00D6_2423, 0xFEDF_F06F, 0x0020_0593];
        Run(translate, code, (hart, space) =>
        {
            Assert.Equal(Cause.EcallFromU, hart.TrapCause);
            Assert.Equal(2u, hart.Registers64.X[11]);
        }, PageRights.Read | PageRights.Write | PageRights.Execute);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Data_is_not_executed(bool translate)
        // jr a0
        => Run(translate, [0x0005_0067], (hart, space) =>
        {
            Assert.Equal(Cause.InstructionPageFault, hart.TrapCause);
            Assert.Equal(space.Data, hart.TrapValue);
            Assert.Equal(space.Data, hart.Pc);
        });
}
