using Myna.Hardware.Memory;
using Myna.Jit.Engine;
using Myna.Jit.Ir;
using Myna.Jit.Memory;
using Myna.Jit.Operations;

namespace Myna.Jit.Tests.Engine;

/// <summary>One instruction of a made-up processor, for tests: what it does is said over any operations.</summary>
public interface ITestInstruction
{
    void Run<TOps, T>(ref TOps ops) where TOps : struct, IOps<T>, allows ref struct where T : struct;
}

/// <summary>
/// A processor whose program is a list of <see cref="ITestInstruction"/>; instruction i is at pc CodeBase + 4i. Its data
/// memory is one RAM, mapped at DataBase, some pages of it only through the slow path. A fault ends the program.
/// </summary>
public sealed class TestGuest : GuestCpu
{
    public const ulong CodeBase = 0x1_0000, DataBase = 0x7FFF_F000_0000, FaultPc = 0x2_0000;
    public const int DataPages = 8;
    public const int Slots = 64;

    private struct Registers { public ulong First; }

    public readonly Ram Code = new("code", 0x4000);
    public readonly Ram Data = new("data", DataPages * 4096);
    public readonly CodePages Pages = new();
    public readonly JitEngine Jit;
    public ITestInstruction[] Program = [];
    public int Faults;
    public int SlowLoads;

    public TestGuest(JitOptions options) : base(new CpuBlock(2))
    {
        Pages.Add(Code);
        Pages.Add(Data);
        Pages.Add(Block.Tlb);
        Jit = new JitEngine(options, Pages, 2);
        Jit.Add(this);
    }

    public override uint BlockFlags => 3;
    public override int FetchMode => 0;

    public override FetchOutcome FillFetch(ulong pc)
    {
        if (pc - CodeBase >= Code.Size)
            return FetchOutcome.Fault;
        Block.Tlb.Fill(0, pc, PageRights.Execute, Code, pc - CodeBase);
        return FetchOutcome.Ready;
    }

    // Page 3 never enters the soft-TLB; page 5 is read-only; beyond the RAM is a fault.
    private bool Translate(ulong va, int size, bool write, out ulong offset)
    {
        offset = va - DataBase;
        if (offset >= Data.Size || offset + (ulong)size > Data.Size || (write && (offset >> 12 == 5 || (offset + (ulong)size - 1) >> 12 == 5)))
        {
            Faults++;
            Block.Context.Pc = FaultPc;
            Block.Context.ExitRequest = 1;
            return false;
        }
        return true;
    }

    public override bool SlowLoad(ulong va, MemSize size, int mode, out ulong value)
    {
        SlowLoads++;
        value = 0;
        int bytes = 1 << (int)size;
        if (!Translate(va, bytes, false, out ulong offset))
            return false;
        ReadOnlySpan<byte> span = Data.Get(offset, bytes);
        for (int i = 0; i < bytes; i++)
            value |= (ulong)span[i] << (8 * i);
        Fill(va, mode, offset);
        return true;
    }

    public override bool SlowStore(ulong va, MemSize size, int mode, ulong value)
    {
        int bytes = 1 << (int)size;
        if (!Translate(va, bytes, true, out ulong offset))
            return false;
        Span<byte> span = Data.GetForWrite(offset, bytes);
        for (int i = 0; i < bytes; i++)
            span[i] = (byte)(value >> (8 * i));
        Fill(va, mode, offset);
        return true;
    }

    private void Fill(ulong va, int mode, ulong offset)
    {
        if (offset >> 12 != 3)
            Block.Tlb.Fill(mode, va, offset >> 12 == 5 ? PageRights.Read : PageRights.Read | PageRights.Write, Data, offset);
    }

    public override bool InterpretOne()
    {
        EvalOps ops = new(this);
        return ops.Step() && ops.Continues;
    }

    public ulong PcOf(int index) => CodeBase + ((ulong)index * 4);

    public override void Translate(IrBuilder builder, ulong pc, uint flags, ReadOnlySpan<byte> page, int maxLength)
    {
        IrOps ops = new(builder);
        builder.MmuMode = 1;
        ulong start = pc;
        while (true)
        {
            int index = (int)((pc - CodeBase) / 4);
            if (index >= Program.Length)
            {
                builder.StartInstruction(pc, 4);
                builder.Interpret();
                builder.EndLeave(pc);
                return;
            }
            builder.StartInstruction(pc, 4);
            Program[index].Run<IrOps, Value>(ref ops);
            pc += 4;
            if (builder.IsUnsupported)
            {
                builder.Rewind();
                builder.Interpret();
            }
            if (builder.HasEnded)
                return;
            if (builder.HasJumped)
            {
                if (builder.JumpTarget <= pc || (builder.JumpTarget ^ start) >> 12 != 0 || builder.IsFull)
                {
                    builder.EndJump(builder.JumpTarget);
                    return;
                }
                pc = builder.JumpTarget;
            }
            if (builder.IsFull || builder.Length >= maxLength || (pc ^ start) >> 12 != 0)
            {
                builder.EndJump(pc);
                return;
            }
        }
    }

    public ref ulong Slot(int slot) => ref System.Runtime.CompilerServices.Unsafe.Add(ref Block.Registers<Registers>().First, slot >> 3);

    /// <summary>Runs from the start, in generated code or on the evaluator, until the program's end or a fault.</summary>
    public void Run(bool translated, int maxSteps = 100_000)
    {
        ref JitContext context = ref Block.Context;
        context.Pc = CodeBase;
        context.ExitRequest = 0;
        if (translated)
        {
            Jit.Run(this);
            return;
        }
        EvalOps ops = new(this);
        while (context.ExitRequest == 0 && maxSteps-- > 0)
            ops.Step();
    }
}
