using Myna.Jit.Engine;
using Myna.Jit.Operations;

namespace Myna.Jit.Tests.Engine;

/// <summary>What the engine adds to blocks: linking, invalidation, requests, exact counts, a full cache.</summary>
public class JitEngineTests
{
    private sealed class Do : ITestInstruction
    {
        public required Body What { get; init; }

        public void Run<TOps, T>(ref TOps ops) where TOps : struct, IOps<T>, allows ref struct where T : struct
        {
            switch (What.Kind)
            {
                case "add": ops.Set(What.A, ops.Add(ops.Get(What.A), ops.Const(What.Imm))); break;
                case "branch-if-less": ops.Branch(Cond.LtU, ops.Get(What.A), ops.Const(What.Imm), What.Target); break;
                case "jump": ops.Jump(What.Target); break;
                case "store": ops.Store(ops.Get(What.A), MemSize.B8, ops.Get(What.B)); break;
                case "unsupported": ops.Set(What.A, ops.FClass(FloatSize.F64, ops.Get(What.A))); break;
            }
        }
    }

    private sealed record Body(string Kind, int A = 0, int B = 0, ulong Imm = 0, ulong Target = 0);

    private static ITestInstruction I(string kind, int a = 0, int b = 0, ulong imm = 0, ulong target = 0)
        => new Do { What = new Body(kind, a * 8, b * 8, imm, target) };

    private static TestGuest Guest(bool count = false, int cache = 4 << 20)
        => new(new JitOptions { PinnedSlots = [16], CountInstructions = count, CacheSize = cache });

    [Fact]
    public void A_loop_runs_in_linked_blocks()
    {
        if (!JitEngine.IsSupported)
            return;
        TestGuest g = Guest();
        g.Program = [I("add", 1, imm: 3), I("add", 2, imm: 1), I("branch-if-less", 2, imm: 100_000, target: g.PcOf(0))];
        g.Run(translated: true);
        Assert.Equal(300_000UL, g.Slot(8));
        Assert.Equal(100_000UL, g.Slot(16));
        // The jump back was patched once, instead of coming out for every round.
        Assert.InRange(g.Jit.Counters.LinkExits, 1, 5);
        Assert.InRange(g.Jit.Counters.LinksPatched, 1, 5);
    }

    [Fact]
    public void A_write_to_code_makes_its_blocks_anew_and_unlinks_them()
    {
        if (!JitEngine.IsSupported)
            return;
        TestGuest g = Guest();
        // Two blocks in different pieces of the page, linked to one another.
        ITestInstruction[] program = new ITestInstruction[60];
        Array.Fill(program, I("none"));
        program[0] = I("add", 1, imm: 1);
        program[1] = I("branch-if-less", 1, imm: 10, target: g.PcOf(32));
        program[2] = I("jump", target: g.PcOf(60));
        program[32] = I("add", 2, imm: 1);
        program[33] = I("jump", target: g.PcOf(0));
        g.Program = program;
        g.Run(true);
        Assert.Equal(9UL, g.Slot(16));
        long translated = g.Jit.Counters.BlocksTranslated;

        program[32] = I("add", 2, imm: 100);
        g.Code.NoteWrite(128, 4);
        g.Slot(8) = g.Slot(16) = 0;
        g.Run(true);
        Assert.Equal(900UL, g.Slot(16));
        Assert.Equal(translated + 1, g.Jit.Counters.BlocksTranslated);

        // Bytes that no block was made of cost nothing.
        g.Code.NoteWrite(1024, 64);
        g.Slot(8) = g.Slot(16) = 0;
        g.Run(true);
        Assert.Equal(translated + 1, g.Jit.Counters.BlocksTranslated);
    }

    [Fact]
    public void A_request_ends_an_endless_loop()
    {
        if (!JitEngine.IsSupported)
            return;
        TestGuest g = Guest();
        g.Program = [I("add", 1, imm: 1), I("jump", target: g.PcOf(0))];
        Thread t = new(() => g.Run(true));
        t.Start();
        while (g.Jit.Counters.LinksPatched == 0)
            Thread.Yield();
        Volatile.Write(ref g.Block.Context.ExitRequest, 1);
        Assert.True(t.Join(TimeSpan.FromSeconds(60)));
        Assert.Contains(g.Block.Context.Pc, (ulong[])[g.PcOf(0), g.PcOf(1)]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(1000)]
    [InlineData(1001)]
    public void A_counting_engine_stops_at_the_exact_instruction(int limit)
    {
        if (!JitEngine.IsSupported)
            return;
        TestGuest g = Guest(count: true);
        g.Program = [I("add", 1, imm: 1), I("add", 2, imm: 1), I("unsupported", 3), I("add", 4, imm: 1), I("jump", target: g.PcOf(0))];
        g.Block.Context.Pc = g.PcOf(0);
        Assert.Equal(RunOutcome.Limit, g.Jit.Run(g, (ulong)limit));
        Assert.Equal((ulong)limit, g.Block.Context.InstructionCount);
        Assert.Equal(g.PcOf(limit % 5), g.Block.Context.Pc);
        Assert.Equal((ulong)((limit + 4) / 5), g.Slot(8));
        Assert.Equal((ulong)((limit + 1) / 5), g.Slot(32));
    }

    [Fact]
    public void A_full_cache_is_emptied_and_the_guest_does_not_notice()
    {
        if (!JitEngine.IsSupported)
            return;
        TestGuest g = Guest(cache: 768 << 10);
        ITestInstruction[] program = new ITestInstruction[1000];
        for (int i = 0; i < program.Length; i++)
            program[i] = I("store", 1, 2 + (i % 20));
        program[^1] = I("add", 2, imm: 1);
        g.Program = program;
        for (int round = 0; round < 40; round++)
        {
            g.Slot(8) = TestGuest.DataBase;
            g.Code.NoteWrite(0, g.Code.Size);
            g.Run(true);
        }
        Assert.Equal(40UL, g.Slot(16));
        Assert.InRange(g.Jit.Counters.CacheFlushes, 1, 1000);
    }

    [Fact]
    public void Translating_allocates_nothing()
    {
        if (!JitEngine.IsSupported)
            return;
        TestGuest g = Guest();
        Random random = new(5);
        g.Program = RandomProgramTests.Make(random, 50);
        for (int i = 0; i < 50; i++)
        {
            g.Code.NoteWrite(0, g.Code.Size);
            g.Run(true);
        }
        long blocks = g.Jit.Counters.BlocksTranslated;
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 20; i++)
        {
            g.Code.NoteWrite(0, g.Code.Size);
            g.Run(true);
        }
        Assert.True(g.Jit.Counters.BlocksTranslated > blocks);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
