using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Myna.Cpu.Engines;
using Myna.Cpu.X86.Decoding;
using Myna.Cpu.X86.Instructions;
using Myna.Hardware.Memory;
using Myna.Jit.Engine;
using Myna.Jit.Memory;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

/// <summary>
/// The engine that executes instructions one by one, from predecoded pages. State lives in the CPU and its
/// <see cref="CpuBlock"/>; between two calls there is none here but the cache.
/// </summary>
public sealed class Interpreter : ICpuEngine
{
    private const int StraddlerCount = 256;

    private readonly X86Cpu _cpu;
    private readonly X86Decoder _decoder;
    private readonly X86CodeCache _cache;
    private readonly Straddler[] _straddlers = new Straddler[StraddlerCount];

    /// <param name="pages">The machine's, which tell of stores to code.</param>
    public Interpreter(X86Cpu cpu, CodePages pages)
    {
        _cpu = cpu;
        _decoder = new X86Decoder(cpu.Model.Allows);
        _cache = new X86CodeCache(_decoder, pages);
    }

    /// <summary>The CPU has ended; the pages forget this engine.</summary>
    public void Detach() => _cache.Detach();

    // An instruction that was decoded from bytes, and may be used again when the bytes are the same.
    private struct Straddler
    {
        public UInt128 Bytes;
        public MemSize Size;
        public Insn Insn;
    }

    /// <inheritdoc/>
    public string Name => "interp";

    /// <inheritdoc/>
    public IEnumerable<(string Name, ulong Value)> Counters =>
    [
        ("instructions", _cpu.Block.Context.InstructionCount),
        ("instructions decoded", _cache.Decoded),
        ("stores to decoded pages", _cache.Writes),
    ];

    /// <summary>
    /// Executes until an exit is requested (seen at taken jumps, at page crossings and after whatever may request one) or
    /// the instruction count has reached the limit, exactly. An instruction that faults does not count. While
    /// <see cref="BlockFlags.Slow"/> is set it executes one instruction.
    /// </summary>
    public void Run(ulong limit)
    {
        ref JitContext context = ref _cpu.Block.Context;
        while (context.InstructionCount < limit && Volatile.Read(ref context.ExitRequest) == 0)
        {
            if (_cpu.Flags.Slow)
            {
                Step();
                return;
            }
            if (_cpu.Block.Tlb.TryFetchPage(_cpu.FetchMode, context.Pc, out CodePage page))
                RunPage(_cache.Get(page, _cpu.Flags.CodeSize), limit);
            else if (_cpu.FillFetch(context.Pc) == FetchOutcome.Interpret)
                Step();
        }
    }

    /// <summary>Steps read each instruction anew: others than this machine's CPUs and devices write to memory, and nobody tells.</summary>
    public bool Uncached { get; set; }

    /// <inheritdoc/>
    public bool Step()
    {
        ref JitContext context = ref _cpu.Block.Context;
        ulong pc = context.Pc;
        BlockFlags flags = _cpu.Flags;
        if (!Uncached && _cpu.Block.Tlb.TryFetchPage(_cpu.FetchMode, pc, out CodePage code))
        {
            X86CodeCache.Page page = _cache.Get(code, flags.CodeSize);
            int offset = (int)pc & (Ram.PageSize - 1);
            int index = page.Index[offset];
            if (index == 0 && _cache.Decode(page, offset))
                index = page.Index[offset];
            if (index != 0)
            {
                ref readonly Insn insn = ref page.Instructions[index];
                if (pc + insn.Length <= CodeEnd(flags))
                    return Execute(in insn, pc);
            }
        }
        return StepUncached(pc, flags);
    }

    // From the bytes: an instruction that straddles pages, reaches beyond its segment, or lies in no RAM.
    private bool StepUncached(ulong pc, BlockFlags flags)
    {
        Span<byte> buffer = stackalloc byte[16];
        buffer.Clear();
        int count = Fetch(pc, flags, buffer);
        UInt128 bytes = MemoryMarshal.Read<UInt128>(buffer);
        ref Straddler known = ref _straddlers[(int)(pc ^ (pc >> 8)) & (StraddlerCount - 1)];
        if (known.Bytes != bytes || known.Size != flags.CodeSize || known.Insn.Length == 0 || known.Insn.Length > count)
        {
            if (_decoder.Decode(buffer[..count], flags.CodeSize, out Insn insn) != DecodeOutcome.Ok)
            {
                _cpu.RaiseFetchFault(pc);
                return false;
            }
            known.Bytes = bytes;
            known.Size = flags.CodeSize;
            known.Insn = insn;
        }
        return Execute(in known.Insn, pc);
    }

    private int Fetch(ulong pc, BlockFlags flags, Span<byte> buffer)
    {
        const ulong Mask = Ram.PageSize - 1;
        SoftTlb tlb = _cpu.Block.Tlb;
        int first = (int)(Ram.PageSize - (pc & Mask));
        if ((flags.Is64 || flags.Flat) && first < X86Decoder.MaxLength
            && tlb.TryFetchPage(_cpu.FetchMode, pc, out CodePage low) && tlb.TryFetchPage(_cpu.FetchMode, pc + (ulong)first, out CodePage high))
        {
            low.Bytes[(int)(pc & Mask)..].CopyTo(buffer);
            high.Bytes[..(X86Decoder.MaxLength - first)].CopyTo(buffer[first..]);
            return X86Decoder.MaxLength;
        }
        int count = _cpu.FetchBytes(pc, buffer[..X86Decoder.MaxLength]);
        // For the next time.
        if (count == X86Decoder.MaxLength && first < count)
            _cpu.FillFetch(pc + (ulong)first);
        return count;
    }

    private bool Execute(in Insn insn, ulong pc)
    {
        InterpreterOps ops = new(_cpu, _cpu.Block.Context.InstructionCount + 1);
        ops.Begin(pc);
        X86Table.Execute<InterpreterOps, ulong, Vector128<byte>>(ref ops, in insn);
        ops.Left--;
        Finish(ref ops, pc + insn.Length);
        return ops.Flow == Flow.Next;
    }

    // The address behind the last byte of the code segment, where its limit is looked at.
    private ulong CodeEnd(BlockFlags flags)
        => flags.Is64 || flags.Flat ? ulong.MaxValue : _cpu.State.Bases[(int)SegmentRegister.Cs] + _cpu.State.Limits[(int)SegmentRegister.Cs] + 1;

    private void RunPage(X86CodeCache.Page cached, ulong limit)
    {
        ref JitContext context = ref _cpu.Block.Context;
        SoftTlb tlb = _cpu.Block.Tlb;
        int fetchMode = _cpu.FetchMode;
        ulong pc = context.Pc;
        ulong page = pc & ~(ulong)(Ram.PageSize - 1);
        ulong end = CodeEnd(_cpu.Flags);
        InterpreterOps ops = new(_cpu, limit);
        bool stop = false;
        while (true)
        {
            int offset = (int)pc & (Ram.PageSize - 1);
            int index = cached.Index[offset];
            if (index == 0)
            {
                if (!_cache.Decode(cached, offset))
                    break;
                index = cached.Index[offset];
            }
            ref readonly Insn insn = ref cached.Instructions[index];
            ulong next = pc + insn.Length;
            if (next > end)
                break;
            ops.Begin(pc);
            X86Table.Execute<InterpreterOps, ulong, Vector128<byte>>(ref ops, in insn);
            ops.Left--;
            if (ops.Flow == Flow.Next)
            {
                pc = next;
            }
            else if (ops.Flow == Flow.Jump)
            {
                pc = ops.Target;
                stop = Volatile.Read(ref context.ExitRequest) != 0;
            }
            else
            {
                Finish(ref ops, next);
                return;
            }
            if (ops.Left == 0 || stop)
            {
                Leave(ref ops, pc);
                return;
            }
            if (pc - page < Ram.PageSize)
                continue;
            // Into another page, in the same mode; what cannot be fetched from the cache is the caller's.
            if (!ops.Mode.Is64)
                pc = (uint)pc;
            if (!tlb.TryFetchPage(fetchMode, pc, out CodePage code) || Volatile.Read(ref context.ExitRequest) != 0)
            {
                Leave(ref ops, pc);
                return;
            }
            cached = _cache.Get(code, cached.Size);
            page = pc & ~(ulong)(Ram.PageSize - 1);
        }
        // Not from this page alone.
        Leave(ref ops, pc);
        Step();
    }

    private void Leave(ref InterpreterOps ops, ulong pc)
    {
        ref JitContext context = ref _cpu.Block.Context;
        context.Pc = ops.Mode.Is64 ? pc : (uint)pc;
        context.InstructionCount = ops.Retired;
    }

    // Brings the context behind an instruction that was executed.
    private void Finish(ref InterpreterOps ops, ulong next)
    {
        ref JitContext context = ref _cpu.Block.Context;
        // Neither retired nor moved on: the CPU has set pc, and the count stands where it saw it.
        if (ops.Flow == Flow.Fault)
            return;
        context.InstructionCount = ops.Retired;
        if (ops.Flow == Flow.Jump)
            context.Pc = ops.Target;
        else if (ops.Flow != Flow.Return)
            context.Pc = ops.Mode.Is64 ? next : (uint)next;
    }
}
