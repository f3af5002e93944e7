using Myna.Jit.Operations;

namespace Myna.Jit.X64;

/// <summary>Machine code that executes one vector operation on a <see cref="Engine.VectorFrame"/>, whose address is in RDI.</summary>
internal static class VectorStub
{
    private const int A = 0, B = 16, C = 32, Result = 48, Integer = 64, Length = 72, Flags = 80, Mxcsr = 88, HostMxcsr = 92;

    public static void Write(Assembler a, VectorOp op, byte imm)
    {
        VectorForm form = op.Form();
        if (op.IsFloat())
            a.Ldmxcsr(At(Mxcsr));
        int dst = 0;
        if (form is not VectorForm.FromInteger)
            Load(a, form == VectorForm.LegacyXmm0 ? 3 : 0, A);
        if (form is not (VectorForm.Unary or VectorForm.ShiftImmediate or VectorForm.UnaryStore or VectorForm.FromInteger
            or VectorForm.Insert or VectorForm.ToInteger or VectorForm.ToIntegerStore))
        {
            Load(a, 1, B);
        }
        if (form is VectorForm.Ternary or VectorForm.Blend)
            Load(a, 2, C);
        if (form is VectorForm.FromInteger or VectorForm.Insert or VectorForm.String)
            a.Load(Reg.Rax, At(Integer));
        switch (form)
        {
            case VectorForm.LegacyXmm0:
                Load(a, 0, C);
                dst = 3;
                Emit(a, op, dst, 3, 1, -1, imm);
                break;
            case VectorForm.String:
                a.Load(Reg.Rdx, At(Length));
                Emit(a, op, 0, 0, 1, -1, imm);
                a.Mov(Reg.Rax, Reg.Rcx);
                break;
            case VectorForm.Ternary or VectorForm.Blend: Emit(a, op, 0, 0, 1, 2, imm); break;
            case VectorForm.Binary or VectorForm.Legacy or VectorForm.Compare: Emit(a, op, 0, 0, 1, -1, imm); break;
            default: Emit(a, op, 0, 0, Reg.Rax, -1, imm); break;
        }
        if (form is VectorForm.Compare or VectorForm.String)
        {
            // PUSHFQ; POP RDX.
            a.Byte(0x9C);
            a.Pop(Reg.Rdx);
            a.AluImm(Assembler.And, Reg.Rdx, 0x8D5, w: false);
            a.Store(At(Flags), Reg.Rdx);
        }
        if (form is VectorForm.ToInteger or VectorForm.ToIntegerStore or VectorForm.String)
            a.Store(At(Integer), Reg.Rax);
        if (form is not (VectorForm.ToInteger or VectorForm.ToIntegerStore or VectorForm.Compare))
            a.VexRM(1, 0, 0x11, dst, 0, At(Result));
        if (op.IsFloat())
        {
            a.Stmxcsr(At(Mxcsr));
            a.Ldmxcsr(At(HostMxcsr));
        }
        a.Ret();
    }

    private static Mem At(int offset) => new(Reg.Rdi, offset);

    private static void Load(Assembler a, int xmm, int offset) => a.VexRM(1, 0, 0x10, xmm, 0, At(offset));

    /// <summary>
    /// The operation on registers: dst = op(x, y, z), where the form says what x, y and z are. For <see cref="VectorForm.Ternary"/>,
    /// <see cref="VectorForm.Legacy"/> and <see cref="VectorForm.LegacyXmm0"/> x must be <paramref name="dst"/>, and for the last z XMM0.
    /// </summary>
    public static void Emit(Assembler a, VectorOp op, int dst, int x, int y, int z, byte imm)
    {
        int map = op.Map(), pp = op.Prefix(), opcode = op.Opcode();
        bool w = op.IsWide();
        switch (op.Form())
        {
            case VectorForm.Unary or VectorForm.ToInteger: a.VexRR(map, pp, opcode, dst, 0, x, w); break;
            case VectorForm.Binary: a.VexRR(map, pp, opcode, dst, x, y, w); break;
            case VectorForm.Ternary: a.VexRR(map, pp, opcode, dst, y, z, w); break;
            case VectorForm.Blend:
                a.VexRR(map, pp, opcode, dst, x, y, w);
                a.Byte(z << 4);
                break;
            case VectorForm.ShiftImmediate: a.VexRR(map, pp, opcode, op.Extension(), dst, x, w); break;
            case VectorForm.UnaryStore or VectorForm.ToIntegerStore: a.VexRR(map, pp, opcode, x, 0, dst, w); break;
            case VectorForm.FromInteger: a.VexRR(map, pp, opcode, dst, 0, y, w); break;
            case VectorForm.Insert: a.VexRR(map, pp, opcode, dst, x, y, w); break;
            case VectorForm.Compare or VectorForm.String: a.VexRR(map, pp, opcode, x, 0, y, w); break;
            default:
                a.RR(opcode | (map switch { 1 => Assembler.Esc, 2 => Assembler.Esc38, _ => Assembler.Esc3A }), dst, y, w: false);
                break;
        }
        if (op.HasImmediate())
            a.Byte(imm);
    }
}
