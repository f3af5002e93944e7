using Myna.Cpu.Engines;
using Myna.Cpu.RiscV.Instructions;
using Myna.Jit.Engine;
using Myna.Jit.Memory;

namespace Myna.Cpu.RiscV;

/// <summary>
/// The engine that executes instructions one by one, from predecoded pages. State lives in the hart and its
/// <see cref="CpuBlock"/>; between two calls there is none here but the cache.
/// </summary>
public sealed class Interpreter(Hart hart) : ICpuEngine
{
    private readonly CodeCache _cache = new();

    /// <inheritdoc/>
    public string Name => "interp";

    /// <inheritdoc/>
    public IEnumerable<(string Name, ulong Value)> Counters =>
    [
        ("instructions", hart.Block.Context.InstructionCount),
        ("code pages verified", _cache.Refreshes),
        ("code pages decoded", _cache.Fills),
    ];

    /// <summary>
    /// Executes until an exit is requested (seen at taken jumps, at page crossings and after whatever may request one) or
    /// the instruction count has reached the limit, exactly. An instruction that traps does not count.
    /// </summary>
    public void Run(ulong limit)
    {
        ref JitContext context = ref hart.Block.Context;
        // Debuggers and loaders write memory while the hart stands still.
        _cache.Invalidate();
        while (context.InstructionCount < limit && Volatile.Read(ref context.ExitRequest) == 0)
        {
            if (hart.Block.Tlb.TryFetchPage(hart.FetchMode, context.Pc, out CodePage page))
                RunPage(_cache.Get(page), limit);
            else if (hart.FillFetch(context.Pc) == FetchOutcome.Interpret)
                Step();
        }
    }

    /// <inheritdoc/>
    public bool Step()
    {
        ref JitContext context = ref hart.Block.Context;
        ulong pc = context.Pc;
        if (!hart.Fetch(pc, out uint raw))
            return false;
        Fields f = InstructionTable.Decode(raw);
        InterpreterOps ops = new(hart, context.InstructionCount + 1);
        ops.Begin(in f, pc);
        InstructionTable.Execute<InterpreterOps, ulong>(ref ops, in f);
        ops.Left--;
        Finish(ref ops, pc + f.Length);
        return ops.Flow == Flow.Next;
    }

    private void RunPage(CodeCache.Page cached, ulong limit)
    {
        ref JitContext context = ref hart.Block.Context;
        ulong pc = context.Pc;
        ulong page = pc & ~(ulong)(CodeCache.PageSize - 1);
        InterpreterOps ops = new(hart, limit);
        do
        {
            int slot = (int)(pc >> 1) & (CodeCache.Slots - 1);
            ref readonly Fields f = ref cached.Code[slot];
            if (f.Op == Opcode.Invalid && !cached.Decode(slot))
            {
                context.Pc = pc;
                context.InstructionCount = ops.Retired;
                Step();
                return;
            }
            ulong next = pc + f.Length;
            ops.Begin(in f, pc);
            InstructionTable.Execute<InterpreterOps, ulong>(ref ops, in f);
            ops.Left--;
            if (ops.Flow == Flow.Next)
            {
                pc = next;
            }
            else if (ops.Flow == Flow.Jump)
            {
                pc = ops.Target;
                if (Volatile.Read(ref context.ExitRequest) != 0)
                    break;
            }
            else
            {
                Finish(ref ops, next);
                return;
            }
        }
        while (ops.Left != 0 && pc - page < CodeCache.PageSize);
        context.Pc = pc;
        context.InstructionCount = ops.Retired;
    }

    // Brings the context behind an instruction that was executed.
    private void Finish(ref InterpreterOps ops, ulong next)
    {
        ref JitContext context = ref hart.Block.Context;
        // Neither retired nor moved on: the hart has set pc, and the count stands where it saw it.
        if (ops.Flow == Flow.Trap)
            return;
        context.InstructionCount = ops.Retired;
        if (ops.Flow == Flow.Jump)
            context.Pc = ops.Target;
        else if (ops.Flow != Flow.Return)
            context.Pc = next;
        if (ops.Flow == Flow.Refetch)
            _cache.Invalidate();
    }
}
