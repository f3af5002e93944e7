using Iced.Intel;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86.Instructions;

/// <summary>
/// SSE, AVX and their kin. Legacy encodings leave bits 255:128 of a YMM register alone, VEX.128 zeroes them, VEX.256 does the
/// 128-bit operation on both halves (Intel SDM volume 1, section 14.1; volume 2 for each instruction).
/// This part reads and writes operands.
/// </summary>
internal static partial class Simd<TOps, T, V>
    where TOps : struct, IX86Ops<T, V>, allows ref struct where T : struct where V : struct
{
    /// <summary>Raises #UD or #NM when the instruction's encoding is not available.</summary>
    private static bool Available(ref TOps ops, in Insn insn)
    {
        BlockFlags mode = ops.Mode;
        if (insn.IsVex ? mode.AvxOn : mode.SseOn)
            return true;
        ops.RaiseVectorUnavailable(insn.IsVex);
        return false;
    }

    private static V Xmm(ref TOps ops, int register) => ops.GetVector(X86Registers.Xmm(register));
    private static V High(ref TOps ops, int register) => ops.GetVector(X86Registers.YmmHigh(register));

    /// <summary>Writes an XMM register as the encoding wants it.</summary>
    private static void SetXmm(ref TOps ops, in Insn insn, int register, V value)
    {
        ops.SetVector(X86Registers.Xmm(register), value);
        if (insn.IsVex)
            ops.SetVector(X86Registers.YmmHigh(register), ops.ZeroVector());
    }

    private static void SetYmm(ref TOps ops, int register, V low, V high)
    {
        ops.SetVector(X86Registers.Xmm(register), low);
        ops.SetVector(X86Registers.YmmHigh(register), high);
    }

    // DEVIATION: Intel SDM volume 2 wants the operands of the SHA extensions aligned; AMD's processors do not.
    private static bool IsHash(Mnemonic mnemonic) => mnemonic is >= Mnemonic.Sha1msg1 and <= Mnemonic.Sha256rnds2;

    private static bool Address(ref TOps ops, in Insn insn, int bytes, bool write, out T linear)
        => Operands<TOps, T, V>.Address(ref ops, in insn, bytes, write, out linear);

    /// <summary>Reads 1 to 16 bytes; those beyond are zero.</summary>
    private static bool Load(ref TOps ops, T linear, int bytes, bool aligned, out V value)
    {
        if (bytes >= 4)
            return ops.LoadVector(linear, bytes, out value, aligned);
        bool done = ops.Load(linear, bytes == 1 ? MemSize.B1 : MemSize.B2, signed: false, out T integer);
        value = done ? ops.IntegerToVector(VectorOp.MovdFrom, integer) : default;
        return done;
    }

    /// <summary>A register's low 128 bits, or memory of the operand's size. Legacy encodings want 16 bytes aligned (Intel SDM volume 2, table 2-21).</summary>
    private static bool Read(ref TOps ops, in Insn insn, Operand operand, out V value)
    {
        if (operand.Kind != OperandKind.Memory)
        {
            value = Xmm(ref ops, operand.Register);
            return true;
        }
        value = default;
        return Address(ref ops, in insn, operand.Size, write: false, out T linear)
            && Load(ref ops, linear, operand.Size, aligned: !insn.IsVex && operand.Size == 16 && !IsHash(insn.Mnemonic), out value);
    }

    /// <summary>Both halves of a YMM register or of 32 bytes of memory.</summary>
    private static bool Read(ref TOps ops, in Insn insn, Operand operand, out V low, out V high)
    {
        if (operand.Kind != OperandKind.Memory)
        {
            low = Xmm(ref ops, operand.Register);
            high = High(ref ops, operand.Register);
            return true;
        }
        low = high = default;
        return Address(ref ops, in insn, 32, write: false, out T linear) && LoadPair(ref ops, linear, out low, out high);
    }

    private static bool LoadPair(ref TOps ops, T linear, out V low, out V high, bool aligned = false)
    {
        high = default;
        return ops.LoadVector(linear, 16, out low, aligned, pair: true) && ops.LoadVector(ops.Add(linear, ops.Const(16)), 16, out high, aligned);
    }

    private static V And(ref TOps ops, V a, V b) => ops.Vector(VectorOp.Pand, a, b);
    private static V AndNot(ref TOps ops, V not, V b) => ops.Vector(VectorOp.Pandn, not, b);
    private static V Or(ref TOps ops, V a, V b) => ops.Vector(VectorOp.Por, a, b);
    private static V Duplicate(ref TOps ops, V a) => ops.Vector(VectorOp.Punpcklqdq, a, a);
    private static V Low(ref TOps ops, V a, V b) => ops.Vector(VectorOp.Punpcklqdq, a, b);
    /// <summary>The upper 64 bits of a, then of b.</summary>
    private static V HighHalves(ref TOps ops, V a, V b) => ops.Vector(VectorOp.Punpckhqdq, a, b);

    private static T Element32(ref TOps ops, V a, int index)
        => index == 0 ? ops.VectorToInteger(VectorOp.MovdTo, a) : ops.VectorToInteger(VectorOp.Pextrd, a, (byte)index);

    private static T Element64(ref TOps ops, V a, int index)
        => index == 0 ? ops.VectorToInteger(VectorOp.MovqTo, a) : ops.VectorToInteger(VectorOp.Pextrq, a, (byte)index);
}
