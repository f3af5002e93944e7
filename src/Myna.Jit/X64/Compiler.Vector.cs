using Myna.Jit.Ir;
using Myna.Jit.Operations;

namespace Myna.Jit.X64;

/// <summary>Vector operations: each is the host instruction that its name is.</summary>
internal sealed unsafe partial class Compiler
{
    private void EmitVector(in Instruction n, int i)
    {
        VectorOp op = (VectorOp)(uint)n.Imm;
        byte imm = (byte)(n.Imm >> 32);
        switch (op.Form())
        {
            case VectorForm.Unary when IsMemory(n.A):
            {
                Mem m = MemoryOf(n.A);
                int dst = Destination(n);
                _hot.VexRM(op.Map(), op.Prefix(), op.Opcode(), dst & 15, 0, m, op.IsWide());
                if (op.HasImmediate())
                    _hot.Byte(imm);
                Define(n, i, dst);
                break;
            }
            case VectorForm.Unary or VectorForm.UnaryStore or VectorForm.ShiftImmediate:
            {
                int x = Use(n.A);
                int dst = Destination(n, x);
                VectorStub.Emit(_hot, op, dst & 15, x & 15, 0, 0, imm);
                Define(n, i, dst);
                break;
            }
            case VectorForm.Binary when n.A != n.B && IsMemory(n.B) && HasMemoryForm(op):
            {
                int x = Use(n.A);
                Mem m = MemoryOf(n.B);
                int dst = Destination(n, x);
                _hot.VexRM(op.Map(), op.Prefix(), op.Opcode(), dst & 15, x & 15, m, op.IsWide());
                if (op.HasImmediate())
                    _hot.Byte(imm);
                Define(n, i, dst);
                break;
            }
            case VectorForm.Binary:
            {
                int x = Use(n.A), y = Use(n.B);
                int dst = Destination(n, x);
                VectorStub.Emit(_hot, op, dst & 15, x & 15, y & 15, 0, imm);
                Define(n, i, dst);
                break;
            }
            case VectorForm.Blend:
            {
                int x = Use(n.A), y = Use(n.B), z = Use(n.C);
                int dst = Destination(n, x);
                VectorStub.Emit(_hot, op, dst & 15, x & 15, y & 15, z & 15, imm);
                Define(n, i, dst);
                break;
            }
            case VectorForm.LegacyXmm0:
                EmitWithXmm0(n, i, op);
                break;
            default:
                EmitDestructive(n, i, op, imm);
                break;
        }
    }

    // With a memory operand these encodings are other instructions, or take other elements.
    private static bool HasMemoryForm(VectorOp op) => op is not (VectorOp.Movss or VectorOp.Movsd or VectorOp.Movhlps or VectorOp.Insertps);

    // The first operand is overwritten.
    private void EmitDestructive(in Instruction n, int i, VectorOp op, byte imm)
    {
        int x = Use(n.A), y = Use(n.B), z = n.C >= 0 ? Use(n.C) : 0;
        int t = x != y && x != z && IsTemp(x) && DiesHere(n.A) ? x : Allocate(true);
        MoveReg(_hot, t, x);
        VectorStub.Emit(_hot, op, t & 15, t & 15, y & 15, z & 15, imm);
        TakeFloat(n, i, t);
    }

    private void EmitWithXmm0(in Instruction n, int i, VectorOp op)
    {
        int x = Use(n.A), y = Use(n.B), z = Use(n.C);
        // XMM0 keeps its value, whoever owns it.
        _locked |= 1u << FirstXmm;
        int t = Allocate(true), saved = Allocate(true);
        MoveReg(_hot, saved, FirstXmm);
        MoveReg(_hot, t, x);
        MoveReg(_hot, FirstXmm, z);
        VectorStub.Emit(_hot, op, t & 15, t & 15, (y == FirstXmm ? saved : y) & 15, 0, 0);
        MoveReg(_hot, FirstXmm, saved);
        TakeFloat(n, i, t);
    }

    private CC CompareVectors(in Instruction n)
    {
        int x = Use(n.A), y = Use(n.B);
        VectorStub.Emit(_hot, IrOps.BranchCompares[n.Mode], 0, x & 15, y & 15, 0, 0);
        CC cc = n.Size switch { 1 => CC.B, 4 => CC.P, 0x40 => CC.E, _ => CC.BE };
        return (Cond)n.Aux == Cond.Ne ? cc : (CC)((int)cc ^ 1);
    }

    private void EmitZeroVector(in Instruction n, int i)
    {
        int dst = Destination(n);
        _hot.VexRR(1, 0, 0x57, dst & 15, dst & 15, dst & 15);
        Define(n, i, dst);
    }

    private void EmitReadMxcsr(in Instruction n, int i)
    {
        int dst = Destination(n);
        _hot.Stmxcsr(Context(24));
        _hot.Load32(dst, Context(24));
        Define(n, i, dst);
    }

    private void EmitWriteMxcsr(in Instruction n)
    {
        _hot.Store32(Context(24), Use(n.A));
        _hot.Ldmxcsr(Context(24));
        ReleaseOperands(n);
    }

    private void EmitInsertInteger(in Instruction n, int i)
    {
        VectorOp op = (VectorOp)(uint)n.Imm;
        int x = n.A >= 0 ? Use(n.A) : 0;
        int r = Use(n.B);
        int dst = Destination(n, n.A >= 0 ? x : -1);
        VectorStub.Emit(_hot, op, dst & 15, x & 15, r, 0, (byte)(n.Imm >> 32));
        Define(n, i, dst);
    }

    private void EmitVectorToInteger(in Instruction n, int i)
    {
        int x = Use(n.A);
        int dst = Destination(n);
        VectorStub.Emit(_hot, (VectorOp)(uint)n.Imm, dst, x & 15, 0, 0, (byte)(n.Imm >> 32));
        Define(n, i, dst);
    }

    private void EmitVectorCompare(in Instruction n, int i)
    {
        Claim(Reg.Rax);
        int x = Use(n.A), y = Use(n.B);
        VectorStub.Emit(_hot, (VectorOp)(uint)n.Imm, 0, x & 15, y & 15, 0, 0);
        // LAHF; MOVZX EAX, AH: OF, SF and AF are 0, bit 1 is 1.
        _hot.Byte(0x9F);
        _hot.RR(Assembler.Esc | 0xB6, Reg.Rax, 4, w: false);
        _hot.AluImm(Assembler.And, Reg.Rax, 0x45, w: false);
        TakeFrom(n, i, Reg.Rax);
    }
}
