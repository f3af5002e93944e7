using Iced.Intel;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86.Instructions;

/// <summary>Loads and stores of chosen elements: no others are accessed, none of those faults. The translator leaves them to the interpreter.</summary>
internal static partial class Simd<TOps, T, V>
{
    [X86Instruction(Mnemonic.Vmaskmovps, Mnemonic.Vpmaskmovd)]
    public static void MaskedMove32(ref TOps ops, in Insn insn) => MaskedMove(ref ops, in insn, 4);

    [X86Instruction(Mnemonic.Vmaskmovpd, Mnemonic.Vpmaskmovq)]
    public static void MaskedMove64(ref TOps ops, in Insn insn) => MaskedMove(ref ops, in insn, 8);

    private static void MaskedMove(ref TOps ops, in Insn insn, int size)
    {
        if (!Available(ref ops, in insn))
            return;
        int count = (insn.Is256 ? 32 : 16) / size;
        if (!Mask(ref ops, in insn, insn.Op1.Register, size, out uint mask))
            return;
        bool store = insn.Op0.Kind == OperandKind.Memory;
        T offset = Operands<TOps, T, V>.Reduce(ref ops, Operands<TOps, T, V>.EffectiveAddress(ref ops, in insn), insn.AddressSize);
        MemSize width = size == 4 ? MemSize.B4 : MemSize.B8;
        if (store)
        {
            // A store that faults must not have stored its first elements.
            for (int i = 0; i < count; i++)
            {
                if ((mask >> i & 1) != 0 && (!ElementAddress(ref ops, in insn, offset, i * size, size, write: true, out T linear) || !ops.ProbeWrite(linear, size)))
                    return;
            }
            for (int i = 0; i < count; i++)
            {
                T element = Element(ref ops, insn.Op2.Register, size, i);
                if ((mask >> i & 1) != 0
                    && (!ElementAddress(ref ops, in insn, offset, i * size, size, write: true, out T linear) || !ops.StoreElement(linear, width, element)))
                {
                    return;
                }
            }
            return;
        }
        V low = ops.ZeroVector(), high = low;
        for (int i = 0; i < count; i++)
        {
            if ((mask >> i & 1) == 0)
                continue;
            if (!ElementAddress(ref ops, in insn, offset, i * size, size, write: false, out T linear) || !ops.LoadElement(linear, width, out T element))
                return;
            SetElement(ref ops, ref low, ref high, size, i, element);
        }
        if (insn.Is256)
            SetYmm(ref ops, insn.Op0.Register, low, high);
        else
            SetXmm(ref ops, in insn, insn.Op0.Register, low);
    }

    /// <summary>The sign bits of a register's elements; false in the translator.</summary>
    private static bool Mask(ref TOps ops, in Insn insn, int register, int size, out uint mask)
    {
        VectorOp op = size switch { 1 => VectorOp.Pmovmskb, 4 => VectorOp.Movmskps, _ => VectorOp.Movmskpd };
        T bits = ops.VectorToInteger(op, Xmm(ref ops, register));
        if (insn.Is256)
            bits = ops.Or(bits, ops.Shl(ops.VectorToInteger(op, High(ref ops, register)), ops.Const(16 / (ulong)size)));
        bool known = ops.TryConst(bits, out ulong value);
        if (!known)
            ops.Unsupported();
        mask = (uint)value;
        return known;
    }

    // Each element is an access of its own, also to its segment.
    private static bool ElementAddress(ref TOps ops, in Insn insn, T offset, int at, int size, bool write, out T linear)
    {
        T own = ops.Add(offset, ops.Const((ulong)at));
        if (!ops.Mode.Is64)
            own = ops.ZeroExtend(own, MemSize.B4);
        return ops.Linear(insn.Segment, own, size, write, out linear);
    }

    private static T Element(ref TOps ops, int register, int size, int index)
    {
        int perLane = 16 / size;
        V half = index < perLane ? Xmm(ref ops, register) : High(ref ops, register);
        index &= perLane - 1;
        return size switch
        {
            1 => ops.VectorToInteger(VectorOp.Pextrb, half, (byte)index),
            4 => Element32(ref ops, half, index),
            _ => Element64(ref ops, half, index),
        };
    }

    private static void SetElement(ref TOps ops, ref V low, ref V high, int size, int index, T value)
    {
        int perLane = 16 / size;
        VectorOp op = size == 4 ? VectorOp.Pinsrd : VectorOp.Pinsrq;
        byte at = (byte)(index & (perLane - 1));
        if (index < perLane)
            low = ops.Insert(op, low, value, at);
        else
            high = ops.Insert(op, high, value, at);
    }

    /// <summary>Bytes of XMM chosen by the sign bits of another, to DS:[(R|E)DI].</summary>
    [X86Instruction(Mnemonic.Maskmovdqu, Mnemonic.Vmaskmovdqu)]
    public static void MaskedStoreBytes(ref TOps ops, in Insn insn)
    {
        if (!Available(ref ops, in insn))
            return;
        // Iced gives the implicit memory operand as the first one. All of it must be writable, whatever the mask, as on AMD's
        // processors; the manual leaves it open.
        T offset = Operands<TOps, T, V>.Reduce(ref ops, ops.Get(Operands<TOps, T, V>.Rdi), insn.AddressSize);
        if (!Mask(ref ops, in insn, insn.Op2.Register, 1, out uint mask) || !ops.Linear(insn.Segment, offset, 16, write: true, out T linear))
            return;
        if (!ops.ProbeWrite(linear, 16, alignment: 8))
            return;
        for (int i = 0; i < 16; i++)
        {
            T element = Element(ref ops, insn.Op1.Register, 1, i);
            if ((mask >> i & 1) != 0 && !ops.Store(ops.Add(linear, ops.Const((ulong)i)), MemSize.B1, element))
                return;
        }
    }

    // Gathers: index size, element size. Elements arrive in order, each leaves its mask bit clear, so that a fault in between is
    // restartable; a trap that waits since one of them comes instead of the fault (Intel SDM volume 2, VPGATHERDD).

    [X86Instruction(Mnemonic.Vpgatherdd, Mnemonic.Vgatherdps)]
    public static void Gather32By32(ref TOps ops, in Insn insn) => Gather(ref ops, in insn, 4, 4);

    [X86Instruction(Mnemonic.Vpgatherdq, Mnemonic.Vgatherdpd)]
    public static void Gather64By32(ref TOps ops, in Insn insn) => Gather(ref ops, in insn, 4, 8);

    [X86Instruction(Mnemonic.Vpgatherqd, Mnemonic.Vgatherqps)]
    public static void Gather32By64(ref TOps ops, in Insn insn) => Gather(ref ops, in insn, 8, 4);

    [X86Instruction(Mnemonic.Vpgatherqq, Mnemonic.Vgatherqpd)]
    public static void Gather64By64(ref TOps ops, in Insn insn) => Gather(ref ops, in insn, 8, 8);

    private static void Gather(ref TOps ops, in Insn insn, int indexSize, int size)
    {
        if (!Available(ref ops, in insn))
            return;
        int destination = insn.Op0.Register, index = insn.Index, maskRegister = insn.Op2.Register;
        if (destination == index || destination == maskRegister || index == maskRegister)
        {
            ops.Raise(Vector.UD);
            return;
        }
        if (!Mask(ref ops, in insn, maskRegister, size, out uint mask))
            return;
        int lanes = insn.Is256 ? 32 : 16;
        int count = Math.Min(lanes / indexSize, lanes / size);
        bool two = count * size > 16;
        V low = Xmm(ref ops, destination), high = High(ref ops, destination);
        V maskLow = Xmm(ref ops, maskRegister), maskHigh = High(ref ops, maskRegister);
        T zero = ops.Const(0);
        MemSize width = size == 4 ? MemSize.B4 : MemSize.B8;
        // Without an index register the address is base + displacement.
        Insn plain = insn;
        plain.Index = Insn.NoRegister;
        bool behind = false;
        for (int i = 0; i < count; i++)
        {
            if ((mask >> i & 1) != 0)
            {
                T element = Element(ref ops, index, indexSize, i);
                if (indexSize == 4)
                    element = ops.SignExtend(element, MemSize.B4);
                element = ops.Shl(element, ops.Const(insn.Scale));
                T offset = Operands<TOps, T, V>.Reduce(ref ops, ops.Add(Operands<TOps, T, V>.EffectiveAddress(ref ops, in plain), element), insn.AddressSize);
                if (!ops.Gather(insn.Segment, offset, width, behind, out T value))
                    return;
                behind = true;
                SetElement(ref ops, ref low, ref high, size, i, value);
            }
            SetElement(ref ops, ref maskLow, ref maskHigh, size, i, zero);
            ops.SetVector(X86Registers.Xmm(destination), low);
            ops.SetVector(X86Registers.Xmm(maskRegister), maskLow);
            if (two)
            {
                ops.SetVector(X86Registers.YmmHigh(destination), high);
                ops.SetVector(X86Registers.YmmHigh(maskRegister), maskHigh);
            }
        }
        // What no element reaches becomes zero, in the mask too.
        V none = ops.ZeroVector();
        if (!two)
        {
            ops.SetVector(X86Registers.YmmHigh(destination), none);
            ops.SetVector(X86Registers.YmmHigh(maskRegister), none);
        }
        if (count * size < 16)
            ops.SetVector(X86Registers.Xmm(destination), ops.Vector(VectorOp.Movq, low));
        ops.SetVector(X86Registers.Xmm(maskRegister), none);
    }
}
