using System.Buffers.Binary;
using Myna.Hardware.Memory;
using Myna.Jit.Engine;
using Myna.Jit.Ir;
using Myna.Jit.Memory;
using Myna.Jit.Operations;

namespace Myna.Jit.Tests.Engine;

/// <summary>CPUs that share a code cache translate at the same time, and stores to code reach all of them.</summary>
public class SharedCacheTests
{
    private const ulong CodeBase = 0x1_0000;
    private const int CodePagesCount = 4, Words = CodePagesCount * 1024;

    /// <summary>A processor whose instructions are numbers that it adds up; behind the last page of code it stops.</summary>
    private sealed class Adder(Ram code) : GuestCpu(new CpuBlock(1))
    {
        [System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Explicit)]
        private struct Registers
        {
            [System.Runtime.InteropServices.FieldOffset(8)] public ulong Sum;
        }

        public override uint BlockFlags => 1;
        public override int FetchMode => 0;

        public override FetchOutcome FillFetch(ulong pc)
        {
            Block.Tlb.Fill(0, pc, PageRights.Execute, code, pc - CodeBase);
            return FetchOutcome.Ready;
        }

        public void Store(int word, uint value)
        {
            ulong va = CodeBase + ((ulong)word * 4);
            if (Block.Tlb.TryWrite(0, va, value))
                return;
            Block.Tlb.Fill(0, va, PageRights.Read | PageRights.Write, code, va - CodeBase);
            Assert.True(Block.Tlb.TryWrite(0, va, value));
        }

        public override bool SlowLoad(ulong va, MemSize size, int mode, out ulong value) => throw new NotSupportedException();
        public override bool SlowStore(ulong va, MemSize size, int mode, ulong value) => throw new NotSupportedException();

        public override bool InterpretOne()
        {
            Block.Context.ExitRequest = 1;
            return false;
        }

        public override void Translate(IrBuilder builder, ulong pc, uint flags, ReadOnlySpan<byte> page, int maxLength)
        {
            if (pc >= CodeBase + (Words * 4))
                return;
            IrOps ops = new(builder);
            do
            {
                builder.StartInstruction(pc, 4);
                ops.Set(8, ops.Add(ops.Get(8), ops.Const(BinaryPrimitives.ReadUInt32LittleEndian(page[(int)(pc & 0xFFF)..]))));
                pc += 4;
            }
            while ((pc & 0xFFF) != 0 && !builder.IsFull && builder.Length < maxLength);
            builder.EndJump(pc);
        }

        public ulong Run()
        {
            Block.Context.Pc = CodeBase;
            Block.Context.ExitRequest = 0;
            Block.Registers<Registers>().Sum = 0;
            Engine!.Run(this);
            return Block.Registers<Registers>().Sum;
        }
    }

    [Fact]
    public void Stores_to_code_that_is_being_translated_are_not_lost()
    {
        if (!JitEngine.IsSupported)
            return;
        using var code = new Ram("code", (CodePagesCount + 1) * Ram.PageSize);
        var pages = new CodePages();
        pages.Add(code);
        // Small enough to be emptied now and then.
        using var engine = new JitEngine(new JitOptions { CacheSize = 2 << 20 }, pages, 1);
        var cpus = new Adder[4];
        for (int i = 0; i < cpus.Length; i++)
        {
            cpus[i] = new Adder(code);
            pages.Add(cpus[i].Block.Tlb);
            engine.Add(cpus[i]);
        }
        var random = new Random(20261122);
        uint[] words = new uint[Words];
        for (int round = 0; round < 40; round++)
        {
            bool done = false;
            Thread[] runners = [.. cpus[1..].Select(cpu => new Thread(() =>
            {
                while (!Volatile.Read(ref done))
                    cpu.Run();
            }))];
            foreach (Thread t in runners)
                t.Start();
            for (int i = 0; i < 2000; i++)
            {
                int at = random.Next(Words);
                cpus[0].Store(at, words[at] = (uint)random.Next());
            }
            Volatile.Write(ref done, true);
            foreach (Thread t in runners)
                t.Join();
            ulong expected = words.Aggregate(0UL, (sum, w) => sum + w);
            Assert.All(cpus, cpu => Assert.Equal(expected, cpu.Run()));
        }
        Assert.InRange(engine.Counters.CacheFlushes, 1, long.MaxValue);
    }

    [Fact]
    public void CPUs_that_come_and_go_use_up_no_cache()
    {
        if (!JitEngine.IsSupported)
            return;
        using var code = new Ram("code", (CodePagesCount + 1) * Ram.PageSize);
        var pages = new CodePages();
        pages.Add(code);
        using var engine = new JitEngine(new JitOptions { CacheSize = 4 << 20 }, pages, 1);
        for (int i = 0; i < 100; i++)
        {
            var cpu = new Adder(code);
            engine.Add(cpu);
            Assert.Equal(0UL, cpu.Run());
            engine.Remove(cpu);
        }
        Assert.Equal(0, engine.Counters.CacheFlushes);
    }
}
