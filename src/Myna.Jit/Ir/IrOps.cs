using System.Numerics;
using System.Runtime.CompilerServices;
using Myna.Jit.Operations;

namespace Myna.Jit.Ir;

/// <summary>
/// The operations as IR: instruction semantics instantiated with this build a block. What the IR cannot say marks the
/// instruction <see cref="IrBuilder.IsUnsupported"/>.
/// </summary>
public readonly partial struct IrOps(IrBuilder builder) : IOps<Value>
{
    private readonly IrBuilder _b = builder;

    public ulong Pc => _b.Pc;

    public Value Const(ulong value) => new(_b.Const(value));
    public Value Get(int slot) => new(_b.Get(slot, Op.Get));
    public void Set(int slot, Value value) => _b.Set(slot, value.Id, Op.Set);
    public Value GetFloat(int slot) => new(_b.Get(slot, Op.GetFloat));
    public void SetFloat(int slot, Value value) => _b.Set(slot, value.Id, Op.SetFloat);

    private Value Two(Op op, Value a, Value b) => new(_b.Append(op, a.Id, b.Id));
    private Value One(Op op, Value a) => new(_b.Append(op, a.Id));

    public Value Add(Value a, Value b)
    {
        if (_b.IsConst(a.Id, out ulong ca))
        {
            if (_b.IsConst(b.Id, out ulong cb))
                return Const(ca + cb);
            (a, b) = (b, a);
        }
        if (_b.IsConst(b.Id, out ulong c))
        {
            if (c == 0)
                return a;
            ref Instruction inner = ref _b.Code[a.Id];
            // (x + c1) + c2: chains of address arithmetic shorten, and the middle value may die.
            if (inner.Op == Op.Add && inner.Mode == 0 && _b.IsConst(inner.B, out ulong c1))
                return c1 + c == 0 ? new Value(inner.A) : Two(Op.Add, new Value(inner.A), Const(c1 + c));
            return Two(Op.Add, a, b);
        }
        // (x + c) + y = (x + y) + c: an access through the sum then takes c as displacement.
        if (IsOffset(a, out Value x, out c))
            return Add(Add(x, b), Const(c));
        if (IsOffset(b, out x, out c))
            return Add(Add(a, x), Const(c));
        if (IsSmallShift(b, out int shift))
            return new(_b.Append(Op.AddShifted, a.Id, _b.Code[b.Id].A, aux: shift));
        if (IsSmallShift(a, out shift))
            return new(_b.Append(Op.AddShifted, b.Id, _b.Code[a.Id].A, aux: shift));
        return Two(Op.Add, a, b);
    }

    private bool IsOffset(Value v, out Value x, out ulong c)
    {
        ref Instruction i = ref _b.Code[v.Id];
        c = 0;
        x = v;
        // Only just computed: an older sum probably lives on.
        if (i.Op != Op.Add || i.Mode != 0 || i.Guest < _b.GuestCount - 4 || !_b.IsConst(i.B, out c))
            return false;
        x = new Value(i.A);
        return true;
    }

    // What LEA can do on the way.
    private bool IsSmallShift(Value v, out int shift)
    {
        ref Instruction i = ref _b.Code[v.Id];
        shift = 0;
        if (i.Op != Op.Shl || i.Mode != 0 || !_b.IsConst(i.B, out ulong count) || count is < 1 or > 3)
            return false;
        shift = (int)count;
        return true;
    }

    public Value Sub(Value a, Value b)
    {
        if (_b.IsConst(b.Id, out ulong cb))
            return _b.IsConst(a.Id, out ulong ca) ? Const(ca - cb) : Add(a, Const(0 - cb));
        return a.Id == b.Id ? Const(0) : Two(Op.Sub, a, b);
    }

    public Value Mul(Value a, Value b)
    {
        if (_b.IsConst(a.Id, out ulong ca))
        {
            if (_b.IsConst(b.Id, out ulong cb))
                return Const(ca * cb);
            (a, b) = (b, a);
        }
        if (_b.IsConst(b.Id, out ulong c))
        {
            if (c == 0)
                return Const(0);
            if (BitOperations.IsPow2(c))
                return Shl(a, Const((ulong)BitOperations.TrailingZeroCount(c)));
        }
        return Two(Op.Mul, a, b);
    }

    public Value MulHighS(Value a, Value b) => Two(Op.MulHighS, a, b);
    public Value MulHighU(Value a, Value b) => Two(Op.MulHighU, a, b);
    public Value MulHighSU(Value a, Value b) => Two(Op.MulHighSU, a, b);
    public Value DivS(Value a, Value b) => Two(Op.DivS, a, b);
    public Value DivU(Value a, Value b) => new(_b.Narrow(_b.Append(Op.DivU, a.Id, b.Id), 64, 64));
    public Value RemS(Value a, Value b) => Two(Op.RemS, a, b);
    public Value RemU(Value a, Value b) => Two(Op.RemU, a, b);

    public Value And(Value a, Value b)
    {
        if (_b.IsConst(a.Id, out ulong ca))
        {
            if (_b.IsConst(b.Id, out ulong cb))
                return Const(ca & cb);
            (a, b) = (b, a);
        }
        int zero = Math.Min(_b.ZeroBits(a.Id), _b.ZeroBits(b.Id));
        if (_b.IsConst(b.Id, out ulong c))
        {
            if (c == 0)
                return Const(0);
            if (c == ulong.MaxValue)
                return a;
            // A mask that keeps all bits that can be set.
            int known = _b.ZeroBits(a.Id);
            if (known < 64 && ((1UL << known) - 1 & ~c) == 0)
                return a;
        }
        if (a.Id == b.Id)
            return a;
        Value v = Two(Op.And, a, b);
        _b.Narrow(v.Id, Math.Max(_b.SignBits(a.Id), _b.SignBits(b.Id)), zero);
        return v;
    }

    public Value Or(Value a, Value b)
    {
        if (_b.IsConst(a.Id, out ulong ca))
        {
            if (_b.IsConst(b.Id, out ulong cb))
                return Const(ca | cb);
            (a, b) = (b, a);
        }
        if (_b.IsConst(b.Id, 0) || a.Id == b.Id)
            return a;
        if (IsInsertion(a, b, out Value inserted) || IsInsertion(b, a, out inserted))
            return inserted;
        if (IsRotation(a, b, out Value rotated) || IsRotation(b, a, out rotated))
            return rotated;
        Value v = Two(Op.Or, a, b);
        _b.Narrow(v.Id, Math.Max(_b.SignBits(a.Id), _b.SignBits(b.Id)), Math.Max(_b.ZeroBits(a.Id), _b.ZeroBits(b.Id)));
        return v;
    }

    // old & ~mask | the bits of the mask, for what x86 instructions do to parts of registers.
    private bool IsInsertion(Value kept, Value part, out Value inserted)
    {
        inserted = kept;
        ref Instruction k = ref _b.Code[kept.Id];
        if (k.Op != Op.And || (k.Mode & Instruction.Narrow) != 0 || !_b.IsConst(k.B, out ulong mask) || _b.Code[part.Id].Op == Op.Const)
            return false;
        int zero = _b.ZeroBits(part.Id);
        int form;
        if (mask == ~0xFFUL && zero <= 8)
        {
            form = 0;
            part = Unextended(part, 8);
        }
        else if (mask == ~0xFFFFUL && zero <= 16)
        {
            form = 1;
            part = Unextended(part, 16);
        }
        else if (mask == ~0xFF00UL && zero <= 16 && _b.Code[part.Id].Op == Op.Shl && _b.IsConst(_b.Code[part.Id].B, 8))
        {
            form = 2;
            part = Unextended(new Value(_b.Code[part.Id].A), 8);
        }
        else
        {
            return false;
        }
        inserted = new(_b.Narrow(_b.Append(Op.Insert, k.A, part.Id, aux: form), 64, Math.Max(_b.ZeroBits(k.A), 8 << Math.Min(form, 1))));
        return true;
    }

    // x << n | x >> (64 - n), or the same of the low 32 bits with the left part sign-extended.
    private bool IsRotation(Value left, Value right, out Value rotated)
    {
        ref Instruction l = ref _b.Code[left.Id];
        ref Instruction r = ref _b.Code[right.Id];
        rotated = left;
        if (r.Op is not (Op.ShrU or Op.ShrU32) || l.Mode != 0 || !_b.IsConst(r.B, out ulong down))
            return false;
        if (r.Op == Op.ShrU && l.Op == Op.Shl && l.A == r.A && _b.IsConst(l.B, out ulong up) && up + down == 64)
        {
            rotated = new(_b.Append(Op.RotateRight, l.A, r.B));
            return true;
        }
        if (r.Op != Op.ShrU32 || l.Op != Op.SignExtend || l.Size != (int)MemSize.B4)
            return false;
        ref Instruction s = ref _b.Code[l.A];
        if (s.Op != Op.Shl || s.Mode != 0 || !_b.IsConst(s.B, out up) || up + down != 32 || Low32(s.A) != Low32(r.A))
            return false;
        rotated = SignExtend(RotateRight32(new Value(s.A), new Value(r.B)), MemSize.B4);
        return true;
    }

    // The value that has the same low 32 bits.
    private int Low32(int id)
    {
        ref Instruction i = ref _b.Code[id];
        return i.Op is Op.SignExtend or Op.ZeroExtend && i.Size >= (int)MemSize.B4 ? i.A : id;
    }

    public Value Xor(Value a, Value b)
    {
        if (_b.IsConst(a.Id, out ulong ca))
        {
            if (_b.IsConst(b.Id, out ulong cb))
                return Const(ca ^ cb);
            (a, b) = (b, a);
        }
        if (a.Id == b.Id)
            return Const(0);
        if (_b.IsConst(b.Id, out ulong c))
        {
            if (c == 0)
                return a;
            if (c == ulong.MaxValue)
                return Not(a);
        }
        Value v = Two(Op.Xor, a, b);
        _b.Narrow(v.Id, Math.Max(_b.SignBits(a.Id), _b.SignBits(b.Id)), Math.Max(_b.ZeroBits(a.Id), _b.ZeroBits(b.Id)));
        return v;
    }

    public Value Not(Value a)
    {
        if (_b.IsConst(a.Id, out ulong c))
            return Const(~c);
        Value v = One(Op.Not, a);
        _b.Narrow(v.Id, _b.SignBits(a.Id), 64);
        return v;
    }

    public Value Shl(Value a, Value count)
    {
        if (_b.IsConst(count.Id, out ulong n))
        {
            n &= 63;
            if (n == 0)
                return a;
            if (_b.IsConst(a.Id, out ulong c))
                return Const(c << (int)n);
            Value v = Two(Op.Shl, a, count);
            _b.Narrow(v.Id, Math.Min(64, _b.SignBits(a.Id) + (int)n), Math.Min(64, _b.ZeroBits(a.Id) + (int)n));
            return v;
        }
        return Two(Op.Shl, a, Masked(count));
    }

    public Value ShrU(Value a, Value count)
    {
        if (_b.IsConst(count.Id, out ulong n))
        {
            n &= 63;
            if (n == 0)
                return a;
            if (_b.IsConst(a.Id, out ulong c))
                return Const(c >> (int)n);
            ref Instruction i = ref _b.Code[a.Id];
            if (i.Op == Op.ZeroExtend && i.Size == (int)MemSize.B4 && n < 32)
                return new(_b.Narrow(_b.Append(Op.ShrU32, i.A, count.Id), 64, 32 - (int)n));
            if (i.Op == Op.Shl && i.Mode == 0 && _b.IsConst(i.B, out ulong up) && up >= n && up is 32 or 48 && up - n < 32)
                // Zero extension said in two shifts, possibly of an index that is scaled on the way.
                return Shl(ZeroExtend(new Value(i.A), up == 32 ? MemSize.B4 : MemSize.B2), Const(up - n));
            Value v = Two(Op.ShrU, a, count);
            _b.Narrow(v.Id, 64, Math.Max(1, Math.Max(0, _b.ZeroBits(a.Id) - (int)n)));
            return v;
        }
        ref Instruction z = ref _b.Code[a.Id];
        ref Instruction mask = ref _b.Code[count.Id];
        if (z.Op == Op.ZeroExtend && z.Size == (int)MemSize.B4 && mask.Op == Op.And && _b.IsConst(mask.B, 31))
            return new(_b.Narrow(_b.Append(Op.ShrU32, z.A, mask.A), 64, 32));
        Value r = Two(Op.ShrU, a, Masked(count));
        _b.Narrow(r.Id, 64, _b.ZeroBits(a.Id));
        return r;
    }

    public Value ShrS(Value a, Value count)
    {
        if (_b.IsConst(count.Id, out ulong n))
        {
            n &= 63;
            if (n == 0)
                return a;
            if (_b.IsConst(a.Id, out ulong c))
                return Const((ulong)((long)c >> (int)n));
            ref Instruction i = ref _b.Code[a.Id];
            if (i.Op == Op.Shl && i.Mode == 0 && _b.IsConst(i.B, n) && n is 32 or 48 or 56)
                return SignExtend(new Value(i.A), n == 32 ? MemSize.B4 : n == 48 ? MemSize.B2 : MemSize.B1);
            Value v = Two(Op.ShrS, a, count);
            _b.Narrow(v.Id, Math.Max(1, _b.SignBits(a.Id) - (int)n), 64);
            return v;
        }
        Value r = Two(Op.ShrS, a, Masked(count));
        _b.Narrow(r.Id, _b.SignBits(a.Id), 64);
        return r;
    }

    // The host's 64-bit shifts take the count modulo 64 by themselves.
    private Value Masked(Value count)
    {
        ref Instruction i = ref _b.Code[count.Id];
        return i.Op == Op.And && _b.IsConst(i.B, out ulong mask) && (mask & 63) == 63 ? new Value(i.A) : count;
    }

    public Value RotateRight(Value a, Value count) => Two(Op.RotateRight, a, count);

    public Value RotateRight32(Value a, Value count)
        => new(_b.Narrow(_b.Append(Op.RotateRight32, a.Id, count.Id), 64, 32));

    public Value SignExtend(Value a, MemSize from)
    {
        int bits = 8 << (int)from;
        if (_b.SignBits(a.Id) <= bits)
            return a;
        if (_b.IsConst(a.Id, out ulong c))
            return Const((ulong)((long)(c << (64 - bits)) >> (64 - bits)));
        return new(_b.Narrow(_b.Append(Op.SignExtend, Unextended(a, bits).Id, size: (int)from), bits, 64));
    }

    public Value ZeroExtend(Value a, MemSize from)
    {
        int bits = 8 << (int)from;
        if (_b.ZeroBits(a.Id) <= bits)
            return a;
        if (_b.IsConst(a.Id, out ulong c))
            return Const(c << (64 - bits) >> (64 - bits));
        if (from == MemSize.B4 && IsNarrow(a, out Value narrow))
            return narrow;
        return new(_b.Narrow(_b.Append(Op.ZeroExtend, Unextended(a, bits).Id, size: (int)from), 64, bits));
    }

    // The host's 32-bit operations zero-extend by themselves. (Made in this guest instruction, the wide operation is
    // probably not needed any longer.)
    private bool IsNarrow(Value a, out Value narrow)
    {
        narrow = a;
        ref Instruction i = ref _b.Code[a.Id];
        if (i.Guest != _b.GuestCount - 1)
            return false;
        narrow = _b.Narrowed(a);
        if (narrow.Id != a.Id)
            return true;
        switch (i.Op)
        {
            case Op.Add or Op.Sub or Op.Mul or Op.And or Op.Or or Op.Xor or Op.AddShifted:
                narrow = new(_b.Append(i.Op, Low32(i.A), Low32(i.B), aux: i.Aux, mode: Instruction.Narrow));
                break;
            case Op.Not:
                narrow = new(_b.Append(Op.Not, Low32(i.A), mode: Instruction.Narrow));
                break;
            case Op.Shl when IsCount32(i.B, out int count):
                narrow = new(_b.Append(Op.Shl, Low32(i.A), count, mode: Instruction.Narrow));
                break;
            case Op.ShrS when IsCount32(i.B, out int count) && _b.SignBits(i.A) <= 32:
                narrow = new(_b.Append(Op.ShrS, Low32(i.A), count, mode: Instruction.Narrow));
                break;
            default:
                return false;
        }
        _b.Narrow(narrow.Id, 64, 32);
        _b.RememberNarrowed(a, narrow);
        return true;
    }

    // A count below 32, or one reduced to that, which the host does by itself.
    private bool IsCount32(int count, out int reduced)
    {
        reduced = count;
        if (_b.IsConst(count, out ulong known))
            return known < 32;
        ref Instruction i = ref _b.Code[count];
        if (i.Op != Op.And || !_b.IsConst(i.B, 31))
            return false;
        reduced = i.A;
        return true;
    }

    // An extension only looks at the low bits: an inner extension from as many or more is not needed.
    private Value Unextended(Value a, int bits)
    {
        ref Instruction i = ref _b.Code[a.Id];
        if (i.Op is Op.SignExtend or Op.ZeroExtend && 8 << i.Size >= bits)
            return new Value(i.A);
        // Carries only go up: neither need the operands of these be extended. (Made in this guest instruction, the
        // operation itself is not needed any longer.)
        if (bits == 32 && i.Guest == _b.GuestCount - 1 && i.Op is Op.Add or Op.Sub or Op.Mul or Op.And or Op.Or or Op.Xor or Op.AddShifted)
        {
            int x = Low32(i.A), y = Low32(i.B);
            if (x != i.A || y != i.B)
                return new(_b.Append(i.Op, x, y, aux: i.Aux, mode: i.Mode));
        }
        return a;
    }

    internal static bool Holds(Cond cond, ulong a, ulong b) => cond switch
    {
        Cond.Eq => a == b,
        Cond.Ne => a != b,
        Cond.LtS => (long)a < (long)b,
        Cond.GeS => (long)a >= (long)b,
        Cond.LtU => a < b,
        _ => a >= b,
    };

    /// <summary>As above, of the low bits.</summary>
    internal static bool Holds(Cond cond, MemSize width, ulong a, ulong b)
    {
        // Sign extension keeps the unsigned order too.
        int unused = 64 - (8 << (int)width);
        return Holds(cond, (ulong)((long)(a << unused) >> unused), (ulong)((long)(b << unused) >> unused));
    }

    public Value Set(Cond cond, Value a, Value b) => Set(cond, MemSize.B8, a, b);

    /// <summary>1 when the comparison of the low bits holds, else 0.</summary>
    public Value Set(Cond cond, MemSize width, Value a, Value b)
    {
        if (_b.IsConst(a.Id, out ulong ca) && _b.IsConst(b.Id, out ulong cb))
            return Const(Holds(cond, width, ca, cb) ? 1UL : 0);
        if (a.Id == b.Id)
            return Const(cond is Cond.Eq or Cond.GeS or Cond.GeU ? 1UL : 0);
        return new(_b.Narrow(_b.Append(Op.SetCond, a.Id, b.Id, size: (int)width, aux: (int)cond), 2, 1));
    }

    public Value Select(Cond cond, Value a, Value b, Value whenTrue, Value whenFalse) => Select(cond, MemSize.B8, a, b, whenTrue, whenFalse);

    /// <summary>The comparison of the low bits decides between two values.</summary>
    public Value Select(Cond cond, MemSize width, Value a, Value b, Value whenTrue, Value whenFalse)
    {
        if (_b.IsConst(a.Id, out ulong ca) && _b.IsConst(b.Id, out ulong cb))
            return Holds(cond, width, ca, cb) ? whenTrue : whenFalse;
        if (a.Id == b.Id)
            return cond is Cond.Eq or Cond.GeS or Cond.GeU ? whenTrue : whenFalse;
        if (whenTrue.Id == whenFalse.Id)
            return whenTrue;
        int v = _b.Append(Op.Select, a.Id, b.Id, whenTrue.Id, whenFalse.Id, size: (int)width, aux: (int)cond);
        return new(_b.Narrow(v, Math.Max(_b.SignBits(whenTrue.Id), _b.SignBits(whenFalse.Id)),
            Math.Max(_b.ZeroBits(whenTrue.Id), _b.ZeroBits(whenFalse.Id))));
    }

    /// <summary>PDEP and PEXT.</summary>
    public Value Deposit(Value value, Value mask) => Two(Op.Deposit, value, mask);
    public Value Extract(Value value, Value mask) => Two(Op.Extract, value, mask);

    /// <summary>CRC-32C of a value's bytes; zero-extended.</summary>
    public Value Crc32(Value crc, Value value, MemSize size)
        => new(_b.Narrow(_b.Append(Op.Crc32, crc.Id, value.Id, size: (int)size), 64, 32));

    /// <summary>
    /// Divides the double-width number high:low by a divisor of 32 or 64 bits; the results have upper bits zero. Zero divisors and
    /// quotients that do not fit must have been guarded against.
    /// </summary>
    public void Divide(MemSize width, bool signed, Value high, Value low, Value divisor, out Value quotient, out Value remainder)
    {
        int bits = 8 << (int)width;
        int q = _b.Narrow(_b.Append(Op.Divide, high.Id, low.Id, divisor.Id, size: (int)width, aux: signed ? 1 : 0), 64, bits);
        quotient = new(q);
        remainder = new(_b.Narrow(_b.Append(Op.Second, q), 64, bits));
    }

    /// <summary>The unsigned product of 128 bits.</summary>
    public void MultiplyWide(Value a, Value b, out Value low, out Value high)
    {
        low = Two(Op.MulWide, a, b);
        high = new(_b.Append(Op.Second, low.Id));
    }

    /// <summary>
    /// a + b + carry, or a - b - carry, of 32 or 64 bits, zero-extended; <see cref="IrBuilder.TryCarryOf"/> then knows the carry out.
    /// </summary>
    /// <param name="carry">0 or 1.</param>
    public Value AddCarry(MemSize width, bool subtract, Value a, Value b, Value carry)
    {
        ref Instruction c = ref _b.Code[carry.Id];
        int x = carry.Id, y = -1, of = 0;
        if (c.Op == Op.SetCond && c.Aux == (int)Cond.LtU)
            (x, y, of) = (c.A, c.B, c.Size);
        else if (c.Op == Op.And && _b.IsConst(c.B, 1))
            x = c.A;
        int sum = _b.Append(Op.AddCarry, a.Id, b.Id, x, y, size: of, aux: subtract ? Instruction.Subtract : 0, mode: width == MemSize.B8 ? 0 : Instruction.Narrow);
        _b.Narrow(sum, 64, 8 << (int)width);
        int second = _b.Narrow(_b.Append(Op.Second, sum), 2, 1);
        _b.RememberCarry(sum, second);
        return new Value(sum);
    }

    public Value CountLeadingZeros(Value a) => new(_b.Narrow(_b.Append(Op.CountLeadingZeros, a.Id), 8, 7));
    public Value CountTrailingZeros(Value a) => new(_b.Narrow(_b.Append(Op.CountTrailingZeros, a.Id), 8, 7));
    public Value PopCount(Value a) => new(_b.Narrow(_b.Append(Op.PopCount, a.Id), 8, 7));
    public Value ByteSwap(Value a) => One(Op.ByteSwap, a);
    public Value OrCombineBytes(Value a) => One(Op.OrCombineBytes, a);
    public Value ClMul(Value a, Value b) => Two(Op.ClMul, a, b);
    public Value ClMulHigh(Value a, Value b) => Two(Op.ClMulHigh, a, b);

    // base + displacement is said by the access itself.
    private int Address(Value address, out ulong displacement)
    {
        ref Instruction i = ref _b.Code[address.Id];
        if (i.Op == Op.Add && i.Mode == 0 && _b.IsConst(i.B, out displacement) && (long)displacement is > -(1 << 30) and < 1 << 30)
            return i.A;
        displacement = 0;
        return address.Id;
    }

    public bool Load(Value address, MemSize size, bool signed, out Value value)
    {
        int a = Address(address, out ulong disp);
        int v = _b.Append(Op.Load, a, imm: disp, size: (int)size, aux: signed ? 1 : 0, mode: _b.MmuMode);
        int bits = 8 << (int)size;
        value = new(signed ? _b.Narrow(v, bits, 64) : _b.Narrow(v, 64, bits));
        return true;
    }

    /// <summary>A load of what this instruction stores afterwards: a page fault of it is a write's. Zero-extended.</summary>
    public bool LoadForUpdate(Value address, MemSize size, out Value value)
    {
        Load(address, size, false, out value);
        _b.Code[value.Id].Aux |= Instruction.ForUpdate;
        return true;
    }

    public bool Store(Value address, MemSize size, Value value)
    {
        int a = Address(address, out ulong disp);
        _b.Append(Op.Store, a, Stored(value, 8 << (int)size).Id, imm: disp, size: (int)size, mode: _b.MmuMode);
        return true;
    }

    private Value Stored(Value a, int bits)
    {
        ref Instruction i = ref _b.Code[a.Id];
        return i.Op is Op.SignExtend or Op.ZeroExtend && 8 << i.Size >= bits ? new Value(i.A) : a;
    }


    public bool LoadFloat(Value address, FloatSize size, out Value value)
    {
        int a = Address(address, out ulong disp);
        value = new(_b.Append(Op.LoadFloat, a, imm: disp, size: (int)size, mode: _b.MmuMode));
        return true;
    }

    public bool StoreFloat(Value address, FloatSize size, Value value)
    {
        int a = Address(address, out ulong disp);
        _b.Append(Op.StoreFloat, a, value.Id, imm: disp, size: (int)size, mode: _b.MmuMode);
        return true;
    }

    public bool Atomic(AtomicOp op, Value address, MemSize size, Value operand, out Value old)
    {
        old = new(_b.Narrow(_b.Append(Op.Atomic, address.Id, operand.Id, size: (int)size, aux: (int)op, mode: _b.MmuMode), 8 << (int)size, 64));
        return true;
    }

    /// <summary>
    /// A read-modify-write under LOCK at any alignment of 1 to 8 bytes; misses of the soft-TLB and page borders are the
    /// interpreter's. <paramref name="old"/> is zero-extended.
    /// </summary>
    public bool LockedUpdate(AtomicOp op, Value address, MemSize size, Value operand, out Value old)
    {
        old = new(_b.Narrow(_b.Append(Op.LockedUpdate, address.Id, operand.Id, size: (int)size, aux: (int)op, mode: _b.MmuMode), 64, 8 << (int)size));
        return true;
    }

    /// <summary>LOCK CMPXCHG; conditions as for <see cref="LockedUpdate"/>.</summary>
    public bool LockedCompareExchange(Value address, MemSize size, Value expected, Value desired, out Value old)
    {
        old = new(_b.Narrow(_b.Append(Op.LockedCompareExchange, address.Id, expected.Id, desired.Id, size: (int)size, mode: _b.MmuMode), 64, 8 << (int)size));
        return true;
    }

    /// <summary>The same of 16 bytes at a multiple of 16.</summary>
    public bool LockedCompareExchange16(Value address, Value expectedLow, Value expectedHigh, Value desiredLow, Value desiredHigh, out Value oldLow, out Value oldHigh)
    {
        _b.Append(Op.Argument, desiredHigh.Id);
        oldLow = new(_b.Append(Op.LockedCompareExchange16, address.Id, expectedLow.Id, expectedHigh.Id, desiredLow.Id, mode: _b.MmuMode));
        oldHigh = new(_b.Append(Op.Second, oldLow.Id));
        return true;
    }

    public bool LoadReserved(Value address, MemSize size, out Value value)
    {
        value = new(_b.Narrow(_b.Append(Op.LoadReserved, address.Id, size: (int)size, mode: _b.MmuMode), 8 << (int)size, 64));
        return true;
    }

    public bool StoreConditional(Value address, MemSize size, Value value, out Value failed)
    {
        failed = new(_b.Narrow(_b.Append(Op.StoreConditional, address.Id, value.Id, size: (int)size, mode: _b.MmuMode), 2, 1));
        return true;
    }

    public void Fence(bool storeLoad)
    {
        // Of x86's own ordering (TSO) only store-load is missing.
        if (storeLoad)
            _b.Append(Op.Fence);
    }

    public void Jump(ulong target) => _b.Jump(target);
    public void JumpIndirect(Value target) => _b.JumpIndirect(target.Id);

    public void Branch(Cond cond, Value a, Value b, ulong target) => Branch(cond, MemSize.B8, a, b, target);

    /// <summary>Goes to <paramref name="target"/> when the comparison of the low bits holds.</summary>
    public void Branch(Cond cond, MemSize width, Value a, Value b, ulong target)
    {
        if (_b.IsConst(a.Id, out ulong ca) && _b.IsConst(b.Id, out ulong cb))
        {
            if (Holds(cond, width, ca, cb))
                _b.Jump(target);
            return;
        }
        if (a.Id == b.Id)
        {
            if (cond is Cond.Eq or Cond.GeS or Cond.GeU)
                _b.Jump(target);
            return;
        }
        ref Instruction i = ref _b.Code[a.Id];
        if (cond is Cond.Eq or Cond.Ne && i.Op == Op.SetCond && _b.IsConst(b.Id, 0))
        {
            // A branch on the result of a comparison compares by itself.
            Cond inner = (Cond)i.Aux;
            _b.Append(Op.Branch, i.A, i.B, imm: target, size: i.Size, aux: (int)(cond == Cond.Ne ? inner : Invert(inner)));
            return;
        }
        if (cond is Cond.Eq or Cond.Ne && i.Op == Op.And && _b.IsConst(b.Id, 0) && BranchVector(cond, ref i, target))
            return;
        _b.Append(Op.Branch, a.Id, b.Id, imm: target, size: (int)width, aux: (int)cond);
    }

    // Eq/Ne, LtS/GeS, LtU/GeU are neighbours.
    internal static Cond Invert(Cond cond) => (Cond)((int)cond ^ 1);
}
