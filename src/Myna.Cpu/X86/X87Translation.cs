using Iced.Intel;
using Myna.Cpu.X86.Instructions;
using Myna.Jit.Ir;
using Myna.Jit.Operations;
using Myna.Jit.X87;

namespace Myna.Cpu.X86;

/// <summary>
/// The common x87 instructions in translations: a routine of <see cref="X87Routines"/> executes the plain case, the interpreter every other.
/// </summary>
internal static class X87Translation
{
    private static readonly X87Routines s_routines = new(new X87Layout(
        Registers: 1024, Control: X86Registers.X87State, Status: X86Registers.X87State + 2, Empty: X86Registers.X87State + 4, Opcode: X86Registers.X87State + 6,
        CodeSelector: X86Registers.X87Selectors, CurrentCodeSelector: X86Registers.Selector(SegmentRegister.Cs),
        Scratch: X86Registers.X87Scratch, ScratchStatus: X86Registers.X87Scratch + 16));

    /// <summary>Builds the instruction; false, and nothing built, when it is the interpreter's.</summary>
    public static bool TryBuild(IrBuilder builder, ref TranslatorOps ops, in Insn insn)
    {
        BlockFlags mode = ops.Mode;
        if (!mode.X87On || !(mode.Is64 || mode.Flat))
            return false;
        bool memory = insn.Op0.Kind == Instructions.OperandKind.Memory;
        // Data pointers are offsets in a segment, here the same as linear addresses.
        if (memory && insn.Segment >= SegmentRegister.Fs)
            return false;
        switch (insn.Mnemonic)
        {
            case Mnemonic.Fadd or Mnemonic.Faddp or Mnemonic.Fiadd or Mnemonic.Fmul or Mnemonic.Fmulp or Mnemonic.Fimul
                or Mnemonic.Fsub or Mnemonic.Fsubp or Mnemonic.Fisub or Mnemonic.Fsubr or Mnemonic.Fsubrp or Mnemonic.Fisubr
                or Mnemonic.Fdiv or Mnemonic.Fdivp or Mnemonic.Fidiv or Mnemonic.Fdivr or Mnemonic.Fdivrp or Mnemonic.Fidivr
                or Mnemonic.Fcom or Mnemonic.Fcomp or Mnemonic.Fcompp or Mnemonic.Ficom or Mnemonic.Ficomp
                or Mnemonic.Fucom or Mnemonic.Fucomp or Mnemonic.Fucompp or Mnemonic.Ftst or Mnemonic.Fld or Mnemonic.Fild
                or Mnemonic.Fld1 or Mnemonic.Fldl2t or Mnemonic.Fldl2e or Mnemonic.Fldpi or Mnemonic.Fldlg2 or Mnemonic.Fldln2 or Mnemonic.Fldz
                or Mnemonic.Fxch or Mnemonic.Fchs or Mnemonic.Fabs or Mnemonic.Fsqrt or Mnemonic.Frndint:
                return BuildPlain(builder, ref ops, in insn, memory);
            case Mnemonic.Fst or Mnemonic.Fstp or Mnemonic.Fist or Mnemonic.Fistp or Mnemonic.Fisttp:
                return memory ? BuildStore(builder, ref ops, in insn) : BuildPlain(builder, ref ops, in insn, memory: false);
            case Mnemonic.Fcomi or Mnemonic.Fcomip or Mnemonic.Fucomi or Mnemonic.Fucomip:
                return BuildCompareFlags(builder, ref ops, in insn);
            case Mnemonic.Fcmovb or Mnemonic.Fcmove or Mnemonic.Fcmovbe or Mnemonic.Fcmovu
                or Mnemonic.Fcmovnb or Mnemonic.Fcmovne or Mnemonic.Fcmovnbe or Mnemonic.Fcmovnu:
                return BuildConditionalMove(builder, ref ops, in insn);
            case Mnemonic.Fldcw:
                return BuildPlain(builder, ref ops, in insn, memory: true);
            case Mnemonic.Fnstcw or Mnemonic.Fnstsw:
                return BuildStoreWord(builder, ref ops, in insn, memory);
            default:
                return false;
        }
    }

    private static nint Routine(in Insn insn, bool complete = false) => s_routines.Get((int)insn.Immediate, complete);

    // A routine that finds no plain case has changed nothing, so that the interpreter can execute the instruction.
    private static Value Call(IrBuilder builder, ref TranslatorOps ops, nint routine, Value? argument = null)
    {
        Value result = builder.CallRoutine(routine, argument);
        builder.Guard(Cond.LtS, MemSize.B8, result, ops.Const(0));
        return result;
    }

    private static MemSize Size(int bytes) => bytes == 2 ? MemSize.B2 : bytes == 4 ? MemSize.B4 : MemSize.B8;

    private static bool BuildPlain(IrBuilder builder, ref TranslatorOps ops, in Insn insn, bool memory)
    {
        nint routine = Routine(in insn);
        if (routine == 0)
            return false;
        if (!memory)
        {
            Call(builder, ref ops, routine);
            SetPointers(builder, ref ops);
            return true;
        }
        // A pending exception (ES of the status word) comes before a fault of the operand.
        builder.Guard(Cond.Ne, MemSize.B8, ops.And(builder.Field(X86Registers.X87State), ops.Const(1u << 23)), ops.Const(0));
        int bytes = insn.Op0.Size;
        Operands<TranslatorOps, Value, Value>.Address(ref ops, in insn, bytes, write: false, out Value linear);
        ops.Load(linear, Size(bytes), signed: false, out Value operand);
        if (bytes == 10)
        {
            ops.Load(ops.Add(linear, ops.Const(8)), MemSize.B2, signed: false, out Value high);
            builder.SetField(X86Registers.X87Scratch + 8, high);
        }
        Call(builder, ref ops, routine, operand);
        if (insn.Mnemonic != Mnemonic.Fldcw)
            SetPointers(builder, ref ops, in insn, linear);
        return true;
    }

    private static bool BuildStore(IrBuilder builder, ref TranslatorOps ops, in Insn insn)
    {
        nint routine = Routine(in insn), completion = Routine(in insn, complete: true);
        if (routine == 0 || completion == 0)
            return false;
        int bytes = insn.Op0.Size;
        Operands<TranslatorOps, Value, Value>.Address(ref ops, in insn, bytes, write: true, out Value linear);
        // Two stores must not fault one by one.
        if (bytes == 10)
            builder.Guard(Cond.LtU, MemSize.B8, ops.Const(4096 - 10), ops.And(linear, ops.Const(4095)));
        Call(builder, ref ops, routine);
        ops.Store(linear, Size(bytes), builder.Field(X86Registers.X87Scratch));
        if (bytes == 10)
            ops.Store(ops.Add(linear, ops.Const(8)), MemSize.B2, builder.Field(X86Registers.X87Scratch + 8));
        builder.CallRoutine(completion, null);
        SetPointers(builder, ref ops, in insn, linear);
        return true;
    }

    private static bool BuildCompareFlags(IrBuilder builder, ref TranslatorOps ops, in Insn insn)
    {
        nint routine = Routine(in insn);
        if (routine == 0)
            return false;
        Value flags = Call(builder, ref ops, routine);
        Flags<TranslatorOps, Value, Value>.SetExplicit(ref ops, flags);
        SetPointers(builder, ref ops);
        return true;
    }

    private static bool BuildConditionalMove(IrBuilder builder, ref TranslatorOps ops, in Insn insn)
    {
        nint routine = Routine(in insn);
        if (routine == 0)
            return false;
        int condition = insn.Mnemonic switch
        {
            Mnemonic.Fcmovb => 2,
            Mnemonic.Fcmovnb => 3,
            Mnemonic.Fcmove => 4,
            Mnemonic.Fcmovne => 5,
            Mnemonic.Fcmovbe => 6,
            Mnemonic.Fcmovnbe => 7,
            Mnemonic.Fcmovu => 10,
            _ => 11,
        };
        Call(builder, ref ops, routine, Flags<TranslatorOps, Value, Value>.Set(ref ops, condition));
        SetPointers(builder, ref ops);
        return true;
    }

    // FNSTCW, FNSTSW: they look at no exception.
    private static bool BuildStoreWord(IrBuilder builder, ref TranslatorOps ops, in Insn insn, bool memory)
    {
        Value linear = default;
        if (memory)
            Operands<TranslatorOps, Value, Value>.Address(ref ops, in insn, 2, write: true, out linear);
        Value word = builder.Field(X86Registers.X87State);
        if (insn.Mnemonic == Mnemonic.Fnstsw)
            word = ops.ShrU(word, ops.Const(16));
        if (memory)
            ops.Store(linear, MemSize.B2, word);
        else
            ops.Set(X86Registers.Gpr(0), ops.Or(ops.And(ops.Get(X86Registers.Gpr(0)), ops.Const(~0xFFFFUL)), ops.ZeroExtend(word, MemSize.B2)));
        return true;
    }

    // The routine remembers opcode and code selector.
    private static void SetPointers(IrBuilder builder, ref TranslatorOps ops) => builder.SetField(X86Registers.X87Pointers, ops.Const(ops.Pc));

    private static void SetPointers(IrBuilder builder, ref TranslatorOps ops, in Insn insn, Value linear)
    {
        SetPointers(builder, ref ops);
        builder.SetField(X86Registers.X87Pointers + 8, linear);
        Value code = builder.Field(X86Registers.Selector(SegmentRegister.Cs)), data = builder.Field(X86Registers.Selector(insn.Segment));
        builder.SetField(X86Registers.X87Selectors, ops.Or(code, ops.Shl(data, ops.Const(16))));
    }
}
