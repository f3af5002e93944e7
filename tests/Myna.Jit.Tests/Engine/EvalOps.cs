using System.Buffers.Binary;
using System.Numerics;
using Myna.Jit.Memory;
using Myna.Jit.Operations;

namespace Myna.Jit.Tests.Engine;

/// <summary>The operations executed plainly: what generated code is compared with. Floating point by the host through C#, without flags.</summary>
public struct EvalOps(TestGuest guest) : IOps<ulong>
{
    private ulong _pc, _next;
    public bool Continues { get; private set; }

    public bool Step()
    {
        ref JitContext context = ref guest.Block.Context;
        _pc = context.Pc;
        _next = _pc + 4;
        int index = (int)((_pc - TestGuest.CodeBase) / 4);
        if (index >= guest.Program.Length)
        {
            context.ExitRequest = 1;
            return false;
        }
        int faults = guest.Faults;
        guest.Program[index].Run<EvalOps, ulong>(ref this);
        context.InstructionCount++;
        if (guest.Faults != faults)
            return false;
        Continues = _next == _pc + 4;
        context.Pc = _next;
        return true;
    }

    public readonly ulong Pc => _pc;
    public readonly ulong Const(ulong value) => value;
    public readonly ulong Get(int slot) => guest.Slot(slot);
    public readonly void Set(int slot, ulong value) => guest.Slot(slot) = value;
    public readonly ulong GetFloat(int slot) => guest.Slot(slot);
    public readonly void SetFloat(int slot, ulong value) => guest.Slot(slot) = value;
    public readonly ulong Add(ulong a, ulong b) => a + b;
    public readonly ulong Sub(ulong a, ulong b) => a - b;
    public readonly ulong Mul(ulong a, ulong b) => a * b;
    public readonly ulong MulHighS(ulong a, ulong b) => (ulong)(((Int128)(long)a * (long)b) >> 64);
    public readonly ulong MulHighU(ulong a, ulong b) => (ulong)(((UInt128)a * b) >> 64);
    public readonly ulong MulHighSU(ulong a, ulong b) => (ulong)(((Int128)(long)a * (Int128)b) >> 64);
    public readonly ulong DivS(ulong a, ulong b) => b == 0 ? ulong.MaxValue : b == ulong.MaxValue ? 0 - a : (ulong)((long)a / (long)b);
    public readonly ulong DivU(ulong a, ulong b) => b == 0 ? ulong.MaxValue : a / b;
    public readonly ulong RemS(ulong a, ulong b) => b == 0 ? a : b == ulong.MaxValue ? 0 : (ulong)((long)a % (long)b);
    public readonly ulong RemU(ulong a, ulong b) => b == 0 ? a : a % b;
    public readonly ulong And(ulong a, ulong b) => a & b;
    public readonly ulong Or(ulong a, ulong b) => a | b;
    public readonly ulong Xor(ulong a, ulong b) => a ^ b;
    public readonly ulong Not(ulong a) => ~a;
    public readonly ulong Shl(ulong a, ulong count) => a << (int)(count & 63);
    public readonly ulong ShrU(ulong a, ulong count) => a >> (int)(count & 63);
    public readonly ulong ShrS(ulong a, ulong count) => (ulong)((long)a >> (int)(count & 63));
    public readonly ulong RotateRight(ulong a, ulong count) => BitOperations.RotateRight(a, (int)(count & 63));
    public readonly ulong RotateRight32(ulong a, ulong count) => BitOperations.RotateRight((uint)a, (int)(count & 31));
    public readonly ulong SignExtend(ulong a, MemSize from)
        => from switch { MemSize.B1 => (ulong)(sbyte)a, MemSize.B2 => (ulong)(short)a, MemSize.B4 => (ulong)(int)a, _ => a };
    public readonly ulong ZeroExtend(ulong a, MemSize from)
        => from switch { MemSize.B1 => (byte)a, MemSize.B2 => (ushort)a, MemSize.B4 => (uint)a, _ => a };

    private static bool Holds(Cond c, ulong a, ulong b) => c switch
    {
        Cond.Eq => a == b,
        Cond.Ne => a != b,
        Cond.LtS => (long)a < (long)b,
        Cond.GeS => (long)a >= (long)b,
        Cond.LtU => a < b,
        _ => a >= b,
    };

    public readonly ulong Set(Cond cond, ulong a, ulong b) => Holds(cond, a, b) ? 1UL : 0;
    public readonly ulong Select(Cond cond, ulong a, ulong b, ulong whenTrue, ulong whenFalse) => Holds(cond, a, b) ? whenTrue : whenFalse;
    public readonly ulong CountLeadingZeros(ulong a) => (ulong)BitOperations.LeadingZeroCount(a);
    public readonly ulong CountTrailingZeros(ulong a) => (ulong)BitOperations.TrailingZeroCount(a);
    public readonly ulong PopCount(ulong a) => (ulong)BitOperations.PopCount(a);
    public readonly ulong ByteSwap(ulong a) => BinaryPrimitives.ReverseEndianness(a);
    public readonly ulong OrCombineBytes(ulong a)
    {
        ulong r = 0;
        for (int i = 0; i < 64; i += 8)
        {
            if ((byte)(a >> i) != 0)
                r |= 0xFFUL << i;
        }
        return r;
    }
    private static UInt128 Carryless(ulong a, ulong b)
    {
        UInt128 r = 0;
        for (int i = 0; i < 64; i++)
        {
            if ((b >> i & 1) != 0)
                r ^= (UInt128)a << i;
        }
        return r;
    }
    public readonly ulong ClMul(ulong a, ulong b) => (ulong)Carryless(a, b);
    public readonly ulong ClMulHigh(ulong a, ulong b) => (ulong)(Carryless(a, b) >> 64);

    public readonly bool Load(ulong address, MemSize size, bool signed, out ulong value)
    {
        if (!guest.SlowLoad(address, size, 1, out value))
            return false;
        if (signed)
            value = SignExtend(value, size);
        return true;
    }
    public readonly bool Store(ulong address, MemSize size, ulong value) => guest.SlowStore(address, size, 1, value);
    public readonly bool LoadFloat(ulong address, FloatSize size, out ulong value) => guest.SlowLoad(address, size == FloatSize.F32 ? MemSize.B4 : MemSize.B8, 1, out value);
    public readonly bool StoreFloat(ulong address, FloatSize size, ulong value) => guest.SlowStore(address, size == FloatSize.F32 ? MemSize.B4 : MemSize.B8, 1, value);
    public readonly bool Atomic(AtomicOp op, ulong address, MemSize size, ulong operand, out ulong old)
    {
        old = 0;
        if (!guest.SlowLoad(address, size, 1, out ulong value))
            return false;
        value = SignExtend(value, size);
        if (size == MemSize.B4)
            operand = (ulong)(int)operand;
        if (!guest.SlowStore(address, size, 1, SoftTlb.Apply(op, value, operand)))
            return false;
        old = value;
        return true;
    }
    public readonly bool LoadReserved(ulong address, MemSize size, out ulong value)
    {
        if (!Load(address, size, true, out value))
            return false;
        ref JitContext c = ref guest.Block.Context;
        (c.ReservedAddress, c.ReservedValue, c.ReservedSize) = (address, value, 1 << (int)size);
        return true;
    }
    public readonly bool StoreConditional(ulong address, MemSize size, ulong value, out ulong failed)
    {
        failed = 1;
        ref JitContext c = ref guest.Block.Context;
        if (!Load(address, size, true, out ulong now))
            return false;
        bool ok = c.ReservedSize == 1 << (int)size && c.ReservedAddress == address && c.ReservedValue == now;
        if (ok && !guest.SlowStore(address, size, 1, value))
            return false;
        c.ReservedSize = 0;
        failed = ok ? 0UL : 1;
        return true;
    }
    public readonly void Fence(bool storeLoad) { }
    public void Jump(ulong target) => _next = target;
    public void JumpIndirect(ulong target) => _next = target;
    public void Branch(Cond cond, ulong a, ulong b, ulong target)
    {
        if (Holds(cond, a, b))
            _next = target;
    }

    private static float S(ulong v) => BitConverter.UInt32BitsToSingle((uint)v);
    private static double D(ulong v) => BitConverter.UInt64BitsToDouble(v);
    private static ulong Bits(float f) => float.IsNaN(f) ? 0x7FC0_0000 : BitConverter.SingleToUInt32Bits(f);
    private static ulong Bits(double d) => double.IsNaN(d) ? 0x7FF8_0000_0000_0000 : BitConverter.DoubleToUInt64Bits(d);
    private static ulong Sign(FloatSize s) => s == FloatSize.F32 ? 1UL << 31 : 1UL << 63;

    public readonly ulong UnboxF32(ulong register) => register >> 32 == uint.MaxValue ? (uint)register : 0x7FC0_0000;
    public readonly ulong BoxF32(ulong value) => value | 0xFFFF_FFFF_0000_0000;
    public readonly ulong FloatToBits(ulong value, FloatSize size) => size == FloatSize.F32 ? (uint)value : value;
    public readonly ulong BitsToFloat(ulong bits, FloatSize size) => size == FloatSize.F32 ? (uint)bits : bits;
    public readonly ulong FAdd(FloatSize size, ulong a, ulong b, Rounding r) => size == FloatSize.F32 ? Bits(S(a) + S(b)) : Bits(D(a) + D(b));
    public readonly ulong FSub(FloatSize size, ulong a, ulong b, Rounding r) => size == FloatSize.F32 ? Bits(S(a) - S(b)) : Bits(D(a) - D(b));
    public readonly ulong FMul(FloatSize size, ulong a, ulong b, Rounding r) => size == FloatSize.F32 ? Bits(S(a) * S(b)) : Bits(D(a) * D(b));
    public readonly ulong FDiv(FloatSize size, ulong a, ulong b, Rounding r) => size == FloatSize.F32 ? Bits(S(a) / S(b)) : Bits(D(a) / D(b));
    public readonly ulong FSqrt(FloatSize size, ulong a, Rounding r) => size == FloatSize.F32 ? Bits(MathF.Sqrt(S(a))) : Bits(Math.Sqrt(D(a)));
    public readonly ulong FMulAdd(FloatSize size, ulong a, ulong b, ulong c, bool negateProduct, bool negateAddend, Rounding r)
    {
        if (negateProduct)
            a ^= Sign(size);
        if (negateAddend)
            c ^= Sign(size);
        return size == FloatSize.F32 ? Bits(MathF.FusedMultiplyAdd(S(a), S(b), S(c))) : Bits(Math.FusedMultiplyAdd(D(a), D(b), D(c)));
    }
    public readonly ulong FMin(FloatSize size, ulong a, ulong b)
        => size == FloatSize.F32
            ? float.IsNaN(S(a)) ? Bits(S(b)) : float.IsNaN(S(b)) ? Bits(S(a)) : Bits(MathF.Min(S(a), S(b)))
            : double.IsNaN(D(a)) ? Bits(D(b)) : double.IsNaN(D(b)) ? Bits(D(a)) : Bits(Math.Min(D(a), D(b)));
    public readonly ulong FMax(FloatSize size, ulong a, ulong b)
        => size == FloatSize.F32
            ? float.IsNaN(S(a)) ? Bits(S(b)) : float.IsNaN(S(b)) ? Bits(S(a)) : Bits(MathF.Max(S(a), S(b)))
            : double.IsNaN(D(a)) ? Bits(D(b)) : double.IsNaN(D(b)) ? Bits(D(a)) : Bits(Math.Max(D(a), D(b)));
    public readonly ulong FCompare(FloatSize size, FloatCompare compare, ulong a, ulong b)
    {
        double x = size == FloatSize.F32 ? S(a) : D(a), y = size == FloatSize.F32 ? S(b) : D(b);
        return compare switch
        {
            FloatCompare.EqQuiet => x == y ? 1UL : 0,
            FloatCompare.LtQuiet or FloatCompare.LtSignalling => x < y ? 1UL : 0,
            _ => x <= y ? 1UL : 0,
        };
    }
    public readonly ulong FSignCopy(FloatSize size, ulong a, ulong b) => (a & ~Sign(size)) | (b & Sign(size));
    public readonly ulong FSignNot(FloatSize size, ulong a, ulong b) => (a & ~Sign(size)) | (~b & Sign(size));
    public readonly ulong FSignXor(FloatSize size, ulong a, ulong b) => a ^ (b & Sign(size));
    public readonly ulong FClass(FloatSize size, ulong a) => 0;
    public readonly ulong FToInt(FloatSize size, IntFormat to, ulong a, Rounding rounding)
    {
        double x = size == FloatSize.F32 ? S(a) : D(a);
        x = rounding switch
        {
            Rounding.TowardZero => Math.Truncate(x),
            Rounding.Down => Math.Floor(x),
            Rounding.Up => Math.Ceiling(x),
            Rounding.NearestMaxMagnitude => Math.Round(x, MidpointRounding.AwayFromZero),
            _ => Math.Round(x, MidpointRounding.ToEven),
        };
        bool nan = double.IsNaN(x);
        return to switch
        {
            IntFormat.S32 => (ulong)(nan || x > int.MaxValue ? int.MaxValue : x < int.MinValue ? int.MinValue : (int)x),
            IntFormat.U32 => (ulong)(int)(nan || x > uint.MaxValue ? uint.MaxValue : x < 0 ? 0 : (uint)x),
            IntFormat.S64 => nan || x >= 9223372036854775808.0 ? long.MaxValue : x < -9223372036854775808.0 ? 1UL << 63 : (ulong)(long)x,
            _ => nan || x >= 18446744073709551616.0 ? ulong.MaxValue : x < 0 ? 0 : (ulong)x,
        };
    }
    public readonly ulong FFromInt(FloatSize size, IntFormat from, ulong a, Rounding rounding) => (size, from) switch
    {
        (FloatSize.F32, IntFormat.S32) => Bits((float)(int)a),
        (FloatSize.F32, IntFormat.U32) => Bits((float)(uint)a),
        (FloatSize.F32, IntFormat.S64) => Bits((float)(long)a),
        (FloatSize.F32, _) => Bits((float)a),
        (_, IntFormat.S32) => Bits((double)(int)a),
        (_, IntFormat.U32) => Bits((double)(uint)a),
        (_, IntFormat.S64) => Bits((double)(long)a),
        _ => Bits((double)a),
    };
    public readonly ulong FConvert(FloatSize from, FloatSize to, ulong a, Rounding rounding)
        => from == FloatSize.F32 ? to == FloatSize.F32 ? a : Bits((double)S(a)) : to == FloatSize.F64 ? a : Bits((float)D(a));
}
