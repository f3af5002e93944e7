using Iced.Intel;
using Myna.Cpu.Engines;
using Myna.Cpu.X86.Decoding;
using Myna.Cpu.X86.Instructions;
using Myna.Hardware.Memory;
using Myna.Jit.Ir;
using Myna.Jit.Memory;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

/// <summary>
/// The front end of the translator: decodes guest code and lets the semantics of each instruction build its IR. Nothing
/// is allocated per block.
/// </summary>
internal sealed class Translator(X86Decoder decoder, ICodeSource source)
{
    /// <summary>The instruction being built never goes on behind itself: the interpreter ends the block.</summary>
    internal bool Leaves { get; set; }

    internal BlockFlags Flags { get; private set; }

    /// <summary>Addresses at which a block may begin but not go on; null when there are none.</summary>
    internal IReadOnlySet<ulong>? Breakpoints { get; set; }

    /// <summary>Builds the superblock that starts at <paramref name="pc"/>, a linear address.</summary>
    /// <param name="flags"><see cref="BlockFlags.Bits"/> at the time.</param>
    /// <param name="page">The page that holds pc.</param>
    /// <param name="maxLength">Instructions at most.</param>
    /// <remarks>What cannot be decoded, or straddles into a page not known, makes no block: the interpreter executes it.</remarks>
    public void Translate(IrBuilder builder, ulong pc, uint flags, ReadOnlySpan<byte> page, int maxLength)
    {
        Flags = new BlockFlags(flags);
        ulong start = pc & ~(ulong)(Ram.PageSize - 1);
        builder.MmuMode = Flags.DataMode;
        // What is never in the soft-TLB (alignment is checked) is not worth translating.
        bool slow = Flags.Slow || Flags.DataMode == MmuMode.UserAligned;
        TranslatorOps ops = new(this, builder);
        while (true)
        {
            if (builder.IsFull || builder.Length >= maxLength || pc - start >= Ram.PageSize
                || Breakpoints is not null && builder.Length != 0 && Breakpoints.Contains(pc))
            {
                builder.EndJump(pc);
                return;
            }
            ReadOnlySpan<byte> code = page[(int)(pc - start)..];
            DecodeOutcome outcome = decoder.Decode(code, Flags.CodeSize, out Insn insn);
            if (outcome != DecodeOutcome.Ok || slow)
            {
                // A block of its own, as far as one instruction can be one.
                if (builder.Length != 0)
                    builder.EndJump(pc);
                else if (outcome == DecodeOutcome.Truncated && !slow)
                    Straddle(builder, ref ops, pc, code);
                else if (outcome == DecodeOutcome.Ok)
                    Single(builder, pc, insn.Length);
                return;
            }
            if (!Build(builder, ref ops, ref pc, in insn))
                return;
            // A jump forward inside the page goes on in the same block; a loop's closing jump ends it.
            if (builder.HasJumped && (pc <= builder.Pc || pc - start >= Ram.PageSize))
            {
                builder.EndJump(pc);
                return;
            }
        }
    }

    // Adds an instruction and moves pc to where it goes on; false when the block has ended.
    private bool Build(IrBuilder builder, ref TranslatorOps ops, ref ulong pc, in Insn insn, CodePage? second = null)
    {
        builder.StartInstruction(pc, insn.Length);
        if (second is { } page)
            builder.ContinueIn(page, Next(pc | (Ram.PageSize - 1), 1), source.FetchMode);
        ulong next = Next(pc, insn.Length);
        Leaves = false;
        if (insn.Handler == 0 || insn.Handler >= X86Table.FirstSystem)
        {
            if (!BuildSystem(ref ops, in insn) && !X87Translation.TryBuild(builder, ref ops, in insn))
            {
                builder.Unsupported();
                Leaves = insn.Handler == 0 || insn.Code.FlowControl() != FlowControl.Next;
            }
        }
        else
        {
            X86Table.Execute<TranslatorOps, Value, Value>(ref ops, in insn);
        }
        pc = next;
        if (builder.IsUnsupported)
        {
            builder.Rewind();
            if (KeepsFlags(in insn))
                builder.Interpret(insn.Length, X86Registers.FlagOp, 4);
            else
                builder.Interpret(insn.Length);
            if (Leaves)
                builder.EndLeave(next);
            return !Leaves;
        }
        if (builder.HasEnded)
            return false;
        if (builder.HasJumped)
            pc = builder.JumpTarget;
        return true;
    }

    // System instructions that kernels execute often and that are simple in some modes.
    private bool BuildSystem(ref TranslatorOps ops, in Insn insn)
    {
        if (!Flags.Is64)
            return false;
        switch (insn.Mnemonic)
        {
            case Mnemonic.Pushfq when insn.OperandSize == MemSize.B8:
                Value shown = ops.And(ops.Get(X86Registers.SystemFlags), ops.Const(~(RFlag.RF | RFlag.VM)));
                Operands<TranslatorOps, Value, Value>.Push(ref ops, MemSize.B8, ops.Or(shown, Instructions.Flags<TranslatorOps, Value, Value>.All(ref ops)));
                return true;
            case Mnemonic.Cli when !Flags.User:
                ops.Set(X86Registers.SystemFlags, ops.And(ops.Get(X86Registers.SystemFlags), ops.Const(~RFlag.IF)));
                return true;
            default:
                return false;
        }
    }

    // System instructions that are frequent and change no arithmetic flag.
    private static bool KeepsFlags(in Insn insn) => insn.Mnemonic is Mnemonic.Cli or Mnemonic.Sti or Mnemonic.Swapgs or Mnemonic.Wrmsr or Mnemonic.Rdmsr
        or Mnemonic.Rdtsc or Mnemonic.Rdtscp or Mnemonic.Rdpid or Mnemonic.In or Mnemonic.Out or Mnemonic.Invlpg or Mnemonic.Invpcid or Mnemonic.Mov or Mnemonic.Pushf or Mnemonic.Pushfq
        or Mnemonic.Stac or Mnemonic.Clac or Mnemonic.Cpuid or Mnemonic.Clts or Mnemonic.Xsave or Mnemonic.Xrstor or Mnemonic.Xsaveopt or Mnemonic.Xsavec or Mnemonic.Fxsave or Mnemonic.Fxrstor
        or Mnemonic.Movsb or Mnemonic.Movsw or Mnemonic.Movsq or Mnemonic.Stosb or Mnemonic.Stosw or Mnemonic.Stosd or Mnemonic.Stosq
        or Mnemonic.Ldmxcsr or Mnemonic.Stmxcsr or Mnemonic.Wrfsbase or Mnemonic.Wrgsbase or Mnemonic.Rdfsbase or Mnemonic.Rdgsbase
        or Mnemonic.Fld or Mnemonic.Fst or Mnemonic.Fstp or Mnemonic.Fild or Mnemonic.Fistp or Mnemonic.Fadd or Mnemonic.Faddp or Mnemonic.Fmul or Mnemonic.Fmulp
        or Mnemonic.Fsub or Mnemonic.Fsubp or Mnemonic.Fdiv or Mnemonic.Fdivp or Mnemonic.Fxch or Mnemonic.Fnstcw or Mnemonic.Fldcw or Mnemonic.Fnstsw or Mnemonic.Wait;

    // The instruction's other half lies in the next page, whose translation is looked at each time.
    private void Straddle(IrBuilder builder, ref TranslatorOps ops, ulong pc, ReadOnlySpan<byte> code)
    {
        ulong border = Next(pc | (Ram.PageSize - 1), 1);
        // Not known yet: the interpreter fetches from there, and the next time it is.
        Span<byte> bytes = stackalloc byte[X86Decoder.MaxLength];
        if (!source.TryReadSecond(border, bytes[code.Length..], out CodePage second))
            return;
        code.CopyTo(bytes);
        if (decoder.Decode(bytes, Flags.CodeSize, out Insn insn) == DecodeOutcome.Ok && (Flags.Is64 || Flags.Flat)
            && Build(builder, ref ops, ref pc, in insn, second))
        {
            builder.EndJump(pc);
        }
    }

    private void Single(IrBuilder builder, ulong pc, int length)
    {
        builder.StartInstruction(pc, length);
        builder.Interpret(length);
        builder.EndLeave(Next(pc, length));
    }

    private ulong Next(ulong pc, int length) => Flags.Is64 ? pc + (ulong)length : (uint)(pc + (ulong)length);
}
