using System.Numerics;
using Myna.Jit.Operations;

namespace Myna.Jit.Ir;

public readonly partial struct IrOps : IVectorOps<Value, Value>
{
    public Value GetVector(int slot) => new(_b.Get(slot, Op.GetVector));
    public void SetVector(int slot, Value value) => _b.Set(slot, value.Id, Op.SetVector);

    public Value ZeroVector() => new(_b.ZeroVector());

    public bool LoadVector(Value address, int bytes, out Value value, bool aligned = false, bool pair = false)
    {
        int a = Address(address, out ulong disp);
        value = new(_b.Append(Op.LoadVector, a, imm: disp, size: BitOperations.Log2((uint)bytes), aux: (aligned ? Instruction.Aligned : 0) | (pair ? Instruction.Pair : 0), mode: _b.MmuMode));
        return true;
    }

    public bool StoreVector(Value address, int bytes, Value value, bool aligned = false)
    {
        int a = Address(address, out ulong disp);
        _b.Append(Op.StoreVector, a, value.Id, imm: disp, size: BitOperations.Log2((uint)bytes), aux: aligned ? Instruction.Aligned : 0, mode: _b.MmuMode);
        return true;
    }

    /// <summary>A store across a page border is left to the interpreter, and so are checks of alignment.</summary>
    public bool ProbeWrite(Value address, int bytes, int alignment = 1)
    {
        _b.Guard(Cond.LtU, MemSize.B4, Const(4096 - (ulong)bytes), And(address, Const(4095)));
        return true;
    }

    private static ulong Encode(VectorOp op, byte imm) => (uint)op | ((ulong)imm << 32);

    public Value Vector(VectorOp op, Value a, byte imm = 0) => new(_b.Append(Op.Vector, a.Id, imm: Encode(op, imm)));

    public Value Vector(VectorOp op, Value a, Value b, byte imm = 0)
    {
        // Compilers zero a register by x ^ x or x - x, and fill it by x = x.
        if (a.Id == b.Id)
        {
            switch (op)
            {
                case VectorOp.Pxor or VectorOp.Xorps or VectorOp.Xorpd or VectorOp.Psubb or VectorOp.Psubw or VectorOp.Psubd or VectorOp.Psubq or VectorOp.Pandn
                    or VectorOp.Pcmpgtb or VectorOp.Pcmpgtw or VectorOp.Pcmpgtd:
                    return ZeroVector();
                case VectorOp.Pand or VectorOp.Por or VectorOp.Andps or VectorOp.Andpd or VectorOp.Orps or VectorOp.Orpd or VectorOp.Movss or VectorOp.Movsd:
                    return a;
            }
        }
        return new(_b.Append(Op.Vector, a.Id, b.Id, imm: Encode(op, imm)));
    }

    public Value Vector(VectorOp op, Value a, Value b, Value c) => new(_b.Append(Op.Vector, a.Id, b.Id, c.Id, imm: Encode(op, 0)));

    public Value VectorToInteger(VectorOp op, Value a, byte imm = 0)
    {
        int v = _b.Append(Op.VectorToInteger, a.Id, imm: Encode(op, imm));
        int bits = op switch
        {
            VectorOp.Movmskpd => 2,
            VectorOp.Movmskps => 4,
            VectorOp.Pextrb => 8,
            VectorOp.Pmovmskb or VectorOp.Pextrw or VectorOp.PextrwStore => 16,
            _ => op.IsWide() ? 64 : 32,
        };
        return new(bits < 64 ? _b.Narrow(v, 64, bits) : v);
    }

    public Value IntegerToVector(VectorOp op, Value value) => new(_b.Append(Op.InsertInteger, -1, value.Id, imm: Encode(op, 0)));

    public Value Insert(VectorOp op, Value a, Value value, byte imm = 0) => new(_b.Append(Op.InsertInteger, a.Id, value.Id, imm: Encode(op, imm)));

    public Value VectorCompare(VectorOp op, Value a, Value b)
        => new(_b.Narrow(_b.Append(Op.VectorCompare, a.Id, b.Id, imm: Encode(op, 0)), 64, 7));

    // A branch on flags of a comparison compares by itself once more, which sets no other exception flags.
    private bool BranchVector(Cond cond, ref Instruction and, ulong target)
    {
        ref Instruction compare = ref _b.Code[and.A];
        if (compare.Op != Op.VectorCompare || !_b.IsConst(and.B, out ulong mask) || mask is not (1 or 4 or 0x40 or 0x41))
            return false;
        int index = Array.IndexOf(BranchCompares, (VectorOp)(uint)compare.Imm);
        if (index < 0)
            return false;
        _b.Append(Op.BranchVector, compare.A, compare.B, imm: target, size: (int)mask, aux: (int)cond, mode: index);
        return true;
    }

    /// <summary>What Mode of <see cref="Op.BranchVector"/> is an index into; Size is a mask of RFLAGS.</summary>
    internal static readonly VectorOp[] BranchCompares = [VectorOp.Ucomiss, VectorOp.Ucomisd, VectorOp.Comiss, VectorOp.Comisd, VectorOp.Ptest];

    public void VectorString(VectorOp op, Value a, Value b, Value lengthA, Value lengthB, bool wide, byte imm, out Value index, out Value mask, out Value flags)
    {
        _b.Unsupported();
        index = mask = flags = a;
    }

    /// <summary>Generated code runs with all exceptions masked: whoever builds it sees to that.</summary>
    public bool RaiseSimd() => true;
}
