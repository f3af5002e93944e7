using System.Runtime.Intrinsics;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

/// <summary>Vector operations.</summary>
internal ref partial struct InterpreterOps
{
    public readonly Vector128<byte> GetVector(int slot) => _registers.Vector[(slot - X86Registers.Vectors) >> 4 & 31];
    public readonly void SetVector(int slot, Vector128<byte> value) => _registers.Vector[(slot - X86Registers.Vectors) >> 4 & 31] = value;
    public readonly Vector128<byte> ZeroVector() => default;
    public readonly bool LoadVector(ulong address, int bytes, out Vector128<byte> value) => throw Foreign();
    public readonly bool StoreVector(ulong address, int bytes, Vector128<byte> value) => throw Foreign();
    public readonly Vector128<byte> Vector(VectorOp op, Vector128<byte> a, byte imm = 0) => throw Foreign();
    public readonly Vector128<byte> Vector(VectorOp op, Vector128<byte> a, Vector128<byte> b, byte imm = 0) => throw Foreign();
    public readonly Vector128<byte> Vector(VectorOp op, Vector128<byte> a, Vector128<byte> b, Vector128<byte> c) => throw Foreign();
    public readonly ulong VectorToInteger(VectorOp op, Vector128<byte> a, byte imm = 0) => throw Foreign();
    public readonly Vector128<byte> IntegerToVector(VectorOp op, ulong value) => throw Foreign();
    public readonly Vector128<byte> Insert(VectorOp op, Vector128<byte> a, ulong value, byte imm = 0) => throw Foreign();
    public readonly ulong VectorCompare(VectorOp op, Vector128<byte> a, Vector128<byte> b) => throw Foreign();
    public readonly void VectorString(VectorOp op, Vector128<byte> a, Vector128<byte> b, ulong lengthA, ulong lengthB, bool wide, byte imm, out ulong index, out Vector128<byte> mask, out ulong flags) => throw Foreign();
    public readonly bool RaiseSimd() => true;
    public void RaiseVectorUnavailable(bool avx) => Raise(Instructions.Vector.UD);
}
