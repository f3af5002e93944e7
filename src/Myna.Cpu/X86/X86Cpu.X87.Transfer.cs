using System.Runtime.Intrinsics;
using Iced.Intel;
using Myna.Cpu.X86.Instructions;
using Myna.Jit.X87;

namespace Myna.Cpu.X86;

// x87 loads, stores, register moves and stack management (Intel SDM volume 1, 8.3.3, 8.3.4).
public sealed partial class X86Cpu
{
    [X86Instruction(Mnemonic.Fld, Mnemonic.Fild, Mnemonic.Fbld)]
    private Flow X87Load(in Insn insn)
    {
        if (!X87Begin())
            return Flow.Fault;
        if (!X87HasMemory(insn))
            return X87LoadRegister(insn);
        int bytes = insn.Op0.Size;
        if (!X87Read(insn, bytes, out _x87.Memory))
            return Flow.Fault;
        X87SetPointers(insn);
        if (!X87IsEmpty(7))
            return X87PushOverflow();
        if (insn.Mnemonic == Mnemonic.Fld && bytes == 10)
        {
            X87Conditions(StatusC1, 0);
            X87Push(_x87.Memory);
            return Flow.Next;
        }
        X87Compute((X87Operation)(0xD800 | ((int)insn.Immediate & 0x738)));
        // A denormal is loaded also when its exception is unmasked, as processors do.
        if (X87Accrue(preventing: Invalid))
            X87Push(_x87.R0);
        return Flow.Next;
    }

    private Flow X87LoadRegister(in Insn insn)
    {
        X87SetPointers(insn);
        int i = X87Operand(insn);
        if (X87IsEmpty(i))
        {
            if (X87StackFault(overflow: false))
                X87Push(s_indefinite);
            return Flow.Next;
        }
        if (!X87IsEmpty(7))
            return X87PushOverflow();
        X87Conditions(StatusC1, 0);
        X87Push(X87Get(i));
        return Flow.Next;
    }

    private Flow X87PushOverflow()
    {
        if (X87StackFault(overflow: true))
            X87Push(s_indefinite);
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Fld1, Mnemonic.Fldl2t, Mnemonic.Fldl2e, Mnemonic.Fldpi, Mnemonic.Fldlg2, Mnemonic.Fldln2, Mnemonic.Fldz)]
    private Flow X87LoadConstant(in Insn insn)
    {
        if (!X87Begin())
            return Flow.Fault;
        X87SetPointers(insn);
        if (!X87IsEmpty(7))
            return X87PushOverflow();
        X87Compute((X87Operation)(0xD800 | ((int)insn.Immediate & 0x7FF)));
        X87Accrue();
        X87Push(_x87.R0);
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Fst, Mnemonic.Fstp, Mnemonic.Fstpnce, Mnemonic.Fist, Mnemonic.Fistp, Mnemonic.Fisttp, Mnemonic.Fbstp)]
    private Flow X87Store(in Insn insn)
    {
        if (!X87Begin())
            return Flow.Fault;
        bool pop = insn.Mnemonic is not (Mnemonic.Fst or Mnemonic.Fist);
        bool empty = X87IsEmpty(0);
        if (!X87HasMemory(insn))
        {
            X87SetPointers(insn);
            // FSTPNCE, undocumented by Intel, raises nothing.
            bool quiet = insn.Mnemonic == Mnemonic.Fstpnce;
            if (!empty || quiet)
                X87Conditions(StatusC1, 0);
            else if (!X87StackFault(overflow: false))
                return Flow.Next;
            if (!empty || !quiet)
                X87Set(X87Operand(insn), empty ? s_indefinite : X87Get(0));
            if (pop)
                X87Pop();
            return Flow.Next;
        }

        int bytes = insn.Op0.Size;
        bool deliver = true, extended = insn.Mnemonic == Mnemonic.Fstp && bytes == 10;
        const int Preventing = BeforeComputation | Overflow | Underflow;
        Vector128<ulong> value;
        if (empty)
        {
            deliver = (State.X87Control & Invalid) != 0;
            value = X87IndefiniteInMemory(insn, bytes);
        }
        else if (extended)
        {
            value = X87Get(0);
        }
        else
        {
            _x87.A = X87Get(0);
            X87Compute(X87StoreOperation(insn, bytes));
            value = _x87.Memory;
            deliver = (_x87.Status & ~State.X87Control & Preventing) == 0;
        }
        // The FPU's state changes only when the store does not fault, or would not have.
        if (deliver ? !X87Write(insn, bytes, value) : !X87Linear(insn, bytes, write: true, out ulong linear) || !ProbeWrite(linear, bytes, DataMode, bytes == 10 ? 8 : bytes))
            return Flow.Fault;
        X87SetPointers(insn);
        if (empty)
            X87StackFault(overflow: false);
        else if (extended)
            X87Conditions(StatusC1, 0);
        else
            X87Accrue();
        if (deliver && pop)
            X87Pop();
        return Flow.Next;
    }

    private static X87Operation X87StoreOperation(in Insn insn, int bytes) => insn.Mnemonic switch
    {
        Mnemonic.Fst or Mnemonic.Fstp => bytes == 4 ? X87Operation.StoreSingle : X87Operation.StoreDouble,
        Mnemonic.Fisttp => bytes == 2 ? X87Operation.TruncateInt16 : bytes == 4 ? X87Operation.TruncateInt32 : X87Operation.TruncateInt64,
        Mnemonic.Fbstp => X87Operation.StoreDecimal,
        _ => bytes == 2 ? X87Operation.StoreInt16 : bytes == 4 ? X87Operation.StoreInt32 : X87Operation.StoreInt64,
    };

    /// <summary>The indefinite value in the format of a store (Intel SDM volume 1, tables 4-3, 4-4, 4-10).</summary>
    private static Vector128<ulong> X87IndefiniteInMemory(in Insn insn, int bytes) => (insn.Mnemonic, bytes) switch
    {
        (Mnemonic.Fbstp, _) => s_indefinite,
        (Mnemonic.Fst or Mnemonic.Fstp, 4) => Vector128.CreateScalar(0xFFC0_0000UL),
        (Mnemonic.Fst or Mnemonic.Fstp, 8) => Vector128.CreateScalar(0xFFF8_0000_0000_0000UL),
        (Mnemonic.Fst or Mnemonic.Fstp, _) => s_indefinite,
        (_, 2) => Vector128.CreateScalar(0x8000UL),
        (_, 4) => Vector128.CreateScalar(0x8000_0000UL),
        _ => Vector128.CreateScalar(0x8000_0000_0000_0000UL),
    };

    [X86Instruction(Mnemonic.Fxch)]
    private Flow X87Exchange(in Insn insn)
    {
        if (!X87Begin())
            return Flow.Fault;
        X87SetPointers(insn);
        int i = X87Operand(insn);
        bool empty0 = X87IsEmpty(0), emptyI = X87IsEmpty(i);
        if (!empty0 && !emptyI)
            X87Conditions(StatusC1, 0);
        else if (!X87StackFault(overflow: false))
            return Flow.Next;
        Vector128<ulong> a = empty0 ? s_indefinite : X87Get(0);
        X87Set(0, emptyI ? s_indefinite : X87Get(i));
        X87Set(i, a);
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Fcmovb, Mnemonic.Fcmove, Mnemonic.Fcmovbe, Mnemonic.Fcmovu, Mnemonic.Fcmovnb, Mnemonic.Fcmovne, Mnemonic.Fcmovnbe, Mnemonic.Fcmovnu)]
    private Flow X87ConditionalMove(in Insn insn)
    {
        const ulong Carry = 1, Parity = 4, Zero = 0x40;
        if (!X87Begin())
            return Flow.Fault;
        X87SetPointers(insn);
        ulong flags = ArithmeticFlags;
        bool move = insn.Mnemonic switch
        {
            Mnemonic.Fcmovb => (flags & Carry) != 0,
            Mnemonic.Fcmove => (flags & Zero) != 0,
            Mnemonic.Fcmovbe => (flags & (Carry | Zero)) != 0,
            Mnemonic.Fcmovu => (flags & Parity) != 0,
            Mnemonic.Fcmovnb => (flags & Carry) == 0,
            Mnemonic.Fcmovne => (flags & Zero) == 0,
            Mnemonic.Fcmovnbe => (flags & (Carry | Zero)) == 0,
            _ => (flags & Parity) == 0,
        };
        int i = X87Operand(insn);
        if (X87IsEmpty(0) || X87IsEmpty(i))
        {
            if (X87StackFault(overflow: false))
                X87Set(0, s_indefinite);
            return Flow.Next;
        }
        if (move)
            X87Set(0, X87Get(i));
        return Flow.Next;
    }

    /// <summary>FFREEP, undocumented by Intel: FFREE, then the stack pointer goes up.</summary>
    [X86Instruction(Mnemonic.Ffree, Mnemonic.Ffreep)]
    private Flow X87Free(in Insn insn)
    {
        if (!X87Begin())
            return Flow.Fault;
        X87SetPointers(insn);
        State.X87Empty |= (byte)(1 << X87Register(X87Operand(insn)));
        X87Conditions(StatusC1, 0);
        if (insn.Mnemonic == Mnemonic.Ffreep)
            X87Pop();
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Fincstp, Mnemonic.Fdecstp)]
    private Flow X87Rotate(in Insn insn)
    {
        if (!X87Begin())
            return Flow.Fault;
        X87SetPointers(insn);
        X87Top += insn.Mnemonic == Mnemonic.Fincstp ? 1 : -1;
        X87Conditions(StatusC1, 0);
        return Flow.Next;
    }

    /// <summary>FNOP, and what the 8087 and 80287 had instructions for.</summary>
    [X86Instruction(Mnemonic.Fnop, Mnemonic.Feni, Mnemonic.Fneni, Mnemonic.Fdisi, Mnemonic.Fndisi, Mnemonic.Fsetpm, Mnemonic.Fnsetpm)]
    private Flow X87Nop(in Insn insn)
    {
        if (insn.Mnemonic == Mnemonic.Fnop)
        {
            if (!X87Begin())
                return Flow.Fault;
            X87SetPointers(insn);
        }
        // The others wait for nothing.
        else if (!Flags.X87On)
        {
            RaiseException(Vector.NM);
            return Flow.Fault;
        }
        return Flow.Next;
    }
}
