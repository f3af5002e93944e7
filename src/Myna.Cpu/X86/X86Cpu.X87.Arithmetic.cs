using System.Runtime.Intrinsics;
using Iced.Intel;
using Myna.Cpu.X86.Instructions;
using Myna.Jit.X87;

namespace Myna.Cpu.X86;

// x87 arithmetic, comparisons and transcendental functions (Intel SDM volume 1, 8.3.5 to 8.3.9).
public sealed partial class X86Cpu
{
    [X86Instruction(Mnemonic.Fadd, Mnemonic.Faddp, Mnemonic.Fiadd, Mnemonic.Fmul, Mnemonic.Fmulp, Mnemonic.Fimul,
        Mnemonic.Fsub, Mnemonic.Fsubp, Mnemonic.Fisub, Mnemonic.Fsubr, Mnemonic.Fsubrp, Mnemonic.Fisubr,
        Mnemonic.Fdiv, Mnemonic.Fdivp, Mnemonic.Fidiv, Mnemonic.Fdivr, Mnemonic.Fdivrp, Mnemonic.Fidivr)]
    private Flow X87Arithmetic(in Insn insn)
    {
        if (!X87Begin())
            return Flow.Fault;
        int opcode = (int)insn.Immediate;
        if (X87HasMemory(insn))
        {
            if (!X87Read(insn, insn.Op0.Size, out _x87.Memory))
                return Flow.Fault;
            X87SetPointers(insn);
            if (X87IsEmpty(0))
            {
                if (X87StackFault(overflow: false))
                    X87Set(0, s_indefinite);
                return Flow.Next;
            }
            _x87.A = X87Get(0);
            X87Compute((X87Operation)(0xD800 | (opcode & 0x738)));
            if (X87Accrue())
                X87Set(0, _x87.R0);
            return Flow.Next;
        }

        // D8: ST(0) is the destination; DC: ST(i); DE: ST(i), then pop.
        X87SetPointers(insn);
        int i = X87Operand(insn);
        bool reverse = (opcode & 0x400) != 0;
        int destination = reverse ? i : 0;
        if (X87IsEmpty(0) || X87IsEmpty(i))
        {
            if (!X87StackFault(overflow: false))
                return Flow.Next;
            X87Set(destination, s_indefinite);
        }
        else
        {
            _x87.A = X87Get(0);
            _x87.B = X87Get(i);
            X87Compute((X87Operation)(0xD8C1 | (opcode & 0x438)));
            if (!X87Accrue())
                return Flow.Next;
            X87Set(destination, reverse ? _x87.R1 : _x87.R0);
        }
        if ((opcode & 0x200) != 0)
            X87Pop();
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Fcom, Mnemonic.Fcomp, Mnemonic.Fcompp, Mnemonic.Ficom, Mnemonic.Ficomp,
        Mnemonic.Fucom, Mnemonic.Fucomp, Mnemonic.Fucompp, Mnemonic.Ftst)]
    private Flow X87Compare(in Insn insn)
    {
        if (!X87Begin())
            return Flow.Fault;
        int pops = insn.Mnemonic switch
        {
            Mnemonic.Fcomp or Mnemonic.Ficomp or Mnemonic.Fucomp => 1,
            Mnemonic.Fcompp or Mnemonic.Fucompp => 2,
            _ => 0,
        };
        X87Operation operation;
        int other = 0;
        if (X87HasMemory(insn))
        {
            if (!X87Read(insn, insn.Op0.Size, out _x87.Memory))
                return Flow.Fault;
            operation = (X87Operation)(0xD810 | ((int)insn.Immediate & 0x700));
        }
        else if (insn.Mnemonic == Mnemonic.Ftst)
        {
            operation = X87Operation.Test;
        }
        else
        {
            other = X87Operand(insn);
            operation = insn.Mnemonic is Mnemonic.Fucom or Mnemonic.Fucomp or Mnemonic.Fucompp ? X87Operation.CompareQuiet : X87Operation.Compare;
        }
        X87SetPointers(insn);
        if (X87IsEmpty(0) || X87IsEmpty(other))
        {
            bool masked = X87StackFault(overflow: false);
            X87Conditions(StatusConditions, StatusC0 | StatusC2 | StatusC3);
            if (!masked)
                return Flow.Next;
        }
        else
        {
            _x87.A = X87Get(0);
            _x87.B = X87Get(other);
            X87Compute(operation);
            // The condition codes are those of the comparison also when an unmasked exception keeps it from popping.
            X87Conditions(StatusConditions, _x87.Status);
            if (!X87Accrue())
                return Flow.Next;
        }
        X87Pop(pops);
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Fcomi, Mnemonic.Fcomip, Mnemonic.Fucomi, Mnemonic.Fucomip)]
    private Flow X87CompareFlags(in Insn insn)
    {
        const ulong Carry = 1, Parity = 4, Zero = 0x40;
        if (!X87Begin())
            return Flow.Fault;
        X87SetPointers(insn);
        int other = X87Operand(insn);
        // As with the condition codes, an unmasked exception only keeps it from popping; C1 stays.
        int c1 = State.X87Status & StatusC1;
        bool complete;
        if (X87IsEmpty(0) || X87IsEmpty(other))
        {
            _x87.Flags = Carry | Parity | Zero;
            complete = X87StackFault(overflow: false);
        }
        else
        {
            _x87.A = X87Get(0);
            _x87.B = X87Get(other);
            X87Compute(insn.Mnemonic is Mnemonic.Fcomi or Mnemonic.Fcomip ? X87Operation.CompareFlags : X87Operation.CompareQuietFlags);
            complete = X87Accrue();
            X87Conditions(StatusC1, c1);
        }
        SetArithmeticFlags(_x87.Flags & (Carry | Parity | Zero));
        if (complete && insn.Mnemonic is (Mnemonic.Fcomip or Mnemonic.Fucomip))
            X87Pop();
        return Flow.Next;
    }

    /// <summary>FXAM classifies empty registers too, by tag and sign of what they held.</summary>
    [X86Instruction(Mnemonic.Fxam)]
    private Flow X87Examine(in Insn insn)
    {
        if (!X87Begin())
            return Flow.Fault;
        X87SetPointers(insn);
        _x87.A = X87Get(0);
        if (X87IsEmpty(0))
        {
            X87Conditions(StatusConditions, StatusC0 | StatusC3 | ((_x87.A[1] & 0x8000) != 0 ? StatusC1 : 0));
            return Flow.Next;
        }
        X87Compute(X87Operation.Examine);
        X87Conditions(StatusConditions, _x87.Status);
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Fchs, Mnemonic.Fabs)]
    private Flow X87Sign(in Insn insn)
    {
        if (!X87Begin())
            return Flow.Fault;
        X87SetPointers(insn);
        if (X87IsEmpty(0))
        {
            if (X87StackFault(overflow: false))
                X87Set(0, s_indefinite);
            return Flow.Next;
        }
        Vector128<ulong> sign = Vector128.Create(0UL, 0x8000);
        X87Set(0, insn.Mnemonic == Mnemonic.Fchs ? X87Get(0) ^ sign : Vector128.AndNot(X87Get(0), sign));
        X87Conditions(StatusC1, 0);
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Fsqrt, Mnemonic.Frndint, Mnemonic.F2xm1, Mnemonic.Fsin, Mnemonic.Fcos)]
    private Flow X87Function(in Insn insn)
    {
        if (!X87Begin())
            return Flow.Fault;
        X87SetPointers(insn);
        bool trigonometric = insn.Mnemonic is Mnemonic.Fsin or Mnemonic.Fcos;
        if (X87IsEmpty(0))
        {
            if (trigonometric)
                X87Conditions(StatusC2, 0);
            if (X87StackFault(overflow: false))
                X87Set(0, s_indefinite);
            return Flow.Next;
        }
        _x87.A = X87Get(0);
        X87Compute((X87Operation)(0xD800 | ((int)insn.Immediate & 0x7FF)));
        if (trigonometric)
            X87Conditions(StatusC2, _x87.Status);
        if (X87Accrue())
            X87Set(0, _x87.R0);
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Fprem, Mnemonic.Fprem1, Mnemonic.Fscale)]
    private Flow X87FunctionOfTwo(in Insn insn)
    {
        if (!X87Begin())
            return Flow.Fault;
        X87SetPointers(insn);
        if (X87IsEmpty(0) || X87IsEmpty(1))
        {
            if (insn.Mnemonic != Mnemonic.Fscale)
                X87Conditions(StatusC2, 0);
            if (X87StackFault(overflow: false))
                X87Set(0, s_indefinite);
            return Flow.Next;
        }
        _x87.A = X87Get(0);
        _x87.B = X87Get(1);
        X87Compute((X87Operation)(0xD800 | ((int)insn.Immediate & 0x7FF)));
        // FPREM: without a quotient C0 and C3 stay as they are.
        if (insn.Mnemonic != Mnemonic.Fscale)
            X87Conditions((_x87.Status & (Invalid | (BeforeComputation & ~State.X87Control))) != 0 || X87IsNaN(_x87.R0) ? StatusC2 : StatusC0 | StatusC2 | StatusC3, _x87.Status);
        if (!X87Accrue())
            return Flow.Next;
        X87Set(0, _x87.R0);
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Fyl2x, Mnemonic.Fyl2xp1, Mnemonic.Fpatan)]
    private Flow X87PoppingFunction(in Insn insn)
    {
        if (!X87Begin())
            return Flow.Fault;
        X87SetPointers(insn);
        if (X87IsEmpty(0) || X87IsEmpty(1))
        {
            if (!X87StackFault(overflow: false))
                return Flow.Next;
            X87Set(1, s_indefinite);
        }
        else
        {
            _x87.A = X87Get(0);
            _x87.B = X87Get(1);
            X87Compute((X87Operation)(0xD800 | ((int)insn.Immediate & 0x7FF)));
            if (!X87Accrue())
                return Flow.Next;
            X87Set(1, _x87.R0);
        }
        X87Pop();
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Fptan, Mnemonic.Fsincos, Mnemonic.Fxtract)]
    private Flow X87PushingFunction(in Insn insn)
    {
        if (!X87Begin())
            return Flow.Fault;
        X87SetPointers(insn);
        bool trigonometric = insn.Mnemonic != Mnemonic.Fxtract;
        bool empty = X87IsEmpty(0);
        if (empty || !X87IsEmpty(7))
        {
            if (trigonometric)
                X87Conditions(StatusC2, 0);
            if (!X87StackFault(overflow: !empty))
                return Flow.Next;
            X87Set(0, s_indefinite);
            X87Push(s_indefinite);
            return Flow.Next;
        }
        _x87.A = X87Get(0);
        X87Compute((X87Operation)(0xD800 | ((int)insn.Immediate & 0x7FF)));
        if (trigonometric)
            X87Conditions(StatusC2, _x87.Status);
        if (!X87Accrue() || (trigonometric && (_x87.Status & StatusC2) != 0))
            return Flow.Next;
        X87Set(0, _x87.R1);
        X87Push(_x87.R0);
        return Flow.Next;
    }
}
