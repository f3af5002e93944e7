using System.Runtime.CompilerServices;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86.Instructions;

/// <summary>Operands of integer instructions: registers, memory, immediates, and the stack.</summary>
internal static class Operands<TOps, T, V>
    where TOps : struct, IX86Ops<T, V>, allows ref struct where T : struct where V : struct
{
    public const int Rax = 0, Rcx = 8, Rdx = 16, Rbx = 24, Rsp = 32, Rbp = 40, Rsi = 48, Rdi = 56;

    /// <summary>The offset of the memory operand in its segment, reduced to the address size.</summary>
    public static T EffectiveAddress(ref TOps ops, in Insn insn)
    {
        if (insn.Base == Insn.Rip)
            return Reduce(ref ops, ops.Add(ops.NextIp(in insn), ops.Const(insn.Displacement)), insn.AddressSize);
        if (insn.Base == Insn.NoRegister && insn.Index == Insn.NoRegister)
            return Reduce(ref ops, ops.Const(insn.Displacement), insn.AddressSize);
        T address;
        if (insn.Base != Insn.NoRegister)
        {
            address = ops.Get(insn.Base << 3);
            if (insn.Index != Insn.NoRegister)
                address = ops.Add(address, ScaledIndex(ref ops, in insn));
        }
        else
        {
            address = ScaledIndex(ref ops, in insn);
        }
        if (insn.Displacement != 0)
            address = ops.Add(address, ops.Const(insn.Displacement));
        return Reduce(ref ops, address, insn.AddressSize);
    }

    private static T ScaledIndex(ref TOps ops, in Insn insn)
    {
        T index = ops.Get(insn.Index << 3);
        return insn.Scale == 0 ? index : ops.Shl(index, ops.Const(insn.Scale));
    }

    /// <summary>A value as an address or instruction pointer of that size.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Reduce(ref TOps ops, T value, MemSize size) => size == MemSize.B8 ? value : ops.ZeroExtend(value, size);

    /// <summary>Linear address of the memory operand.</summary>
    public static bool Address(ref TOps ops, in Insn insn, int bytes, bool write, out T linear)
        => ops.Linear(insn.Segment, EffectiveAddress(ref ops, in insn), bytes, write, out linear);

    /// <summary>The value of an operand; memory is zero-extended, upper bits of registers are unspecified.</summary>
    public static bool Read(ref TOps ops, in Insn insn, in Operand operand, out T value)
    {
        switch (operand.Kind)
        {
            case OperandKind.Gpr:
                value = ops.Get(operand.Register << 3);
                return true;
            case OperandKind.Immediate:
                value = ops.Const(insn.Immediate);
                return true;
            case OperandKind.Memory:
                value = default;
                return Address(ref ops, in insn, operand.Size, write: false, out T linear) && ops.Load(linear, operand.Width, signed: false, out value);
            case OperandKind.GprHigh:
                value = ops.ShrU(ops.Get(operand.Register << 3), ops.Const(8));
                return true;
            default:
                value = ops.Const(insn.Immediate2);
                return true;
        }
    }

    /// <summary>A register as an operand of a given width: 32 bits zero-extend, 8 and 16 merge.</summary>
    public static void SetRegister(ref TOps ops, int slot, MemSize width, T value)
    {
        switch (width)
        {
            case MemSize.B8:
                ops.Set(slot, value);
                break;
            case MemSize.B4:
                ops.Set(slot, ops.ZeroExtend(value, MemSize.B4));
                break;
            default:
                ulong mask = width == MemSize.B2 ? 0xFFFFu : 0xFFu;
                ops.Set(slot, ops.Or(ops.And(ops.Get(slot), ops.Const(~mask)), ops.ZeroExtend(value, width)));
                break;
        }
    }

    private static void SetHigh(ref TOps ops, int slot, T value)
        => ops.Set(slot, ops.Or(ops.And(ops.Get(slot), ops.Const(~0xFF00UL)), ops.Shl(ops.ZeroExtend(value, MemSize.B1), ops.Const(8))));

    /// <summary>Writes a register or the memory operand.</summary>
    public static bool Write(ref TOps ops, in Insn insn, in Operand operand, T value)
    {
        if (operand.Kind == OperandKind.Memory)
            return Address(ref ops, in insn, operand.Size, write: true, out T linear) && ops.Store(linear, operand.Width, value);
        WriteRegister(ref ops, in operand, value);
        return true;
    }

    /// <summary>Writes an operand that is no memory.</summary>
    public static void WriteRegister(ref TOps ops, in Operand operand, T value)
    {
        if (operand.Kind == OperandKind.GprHigh)
            SetHigh(ref ops, operand.Register << 3, value);
        else
            SetRegister(ref ops, operand.Register << 3, operand.Width, value);
    }

    /// <summary>The first half of read-modify-write; <paramref name="linear"/> is for <see cref="WriteTarget"/>.</summary>
    public static bool ReadTarget(ref TOps ops, in Insn insn, in Operand operand, out T value, out T linear)
    {
        if (operand.Kind == OperandKind.Memory)
        {
            value = default;
            return Address(ref ops, in insn, operand.Size, write: true, out linear) && ops.LoadForUpdate(linear, operand.Width, out value);
        }
        linear = default;
        return Read(ref ops, in insn, in operand, out value);
    }

    /// <summary>The second half of read-modify-write.</summary>
    public static bool WriteTarget(ref TOps ops, in Operand operand, T linear, T value)
    {
        if (operand.Kind == OperandKind.Memory)
            return ops.Store(linear, operand.Width, value);
        WriteRegister(ref ops, in operand, value);
        return true;
    }

    /// <summary>An atomic update of the memory operand.</summary>
    public static bool LockedUpdate(ref TOps ops, in Insn insn, in Operand operand, AtomicOp op, T value, out T old)
    {
        old = default;
        return Address(ref ops, in insn, operand.Size, write: true, out T linear) && ops.LockedUpdate(op, linear, operand.Width, value, out old);
    }

    // The stack.

    /// <summary>Width of the stack pointer.</summary>
    public static MemSize StackSize(ref TOps ops) => ops.Mode.Is64 ? MemSize.B8 : ops.Mode.Stack32 ? MemSize.B4 : MemSize.B2;

    /// <summary>RSP, ESP or SP, zero-extended.</summary>
    public static T StackPointer(ref TOps ops) => Reduce(ref ops, ops.Get(Rsp), StackSize(ref ops));

    public static void SetStackPointer(ref TOps ops, T value) => SetRegister(ref ops, Rsp, StackSize(ref ops), value);

    /// <summary>The stack pointer moved by a number of bytes, reduced to its width.</summary>
    public static T StackOffset(ref TOps ops, long bytes) => Reduce(ref ops, ops.Add(ops.Get(Rsp), ops.Const((ulong)bytes)), StackSize(ref ops));

    /// <summary>Stores below the stack pointer and gives the new stack pointer, which is not set yet.</summary>
    public static bool StorePush(ref TOps ops, MemSize size, T value, out T stackPointer)
    {
        int bytes = 1 << (int)size;
        stackPointer = StackOffset(ref ops, -bytes);
        return ops.Linear(SegmentRegister.Ss, stackPointer, bytes, write: true, out T linear) && ops.Store(linear, size, value);
    }

    public static bool Push(ref TOps ops, MemSize size, T value)
    {
        if (!StorePush(ref ops, size, value, out T stackPointer))
            return false;
        SetStackPointer(ref ops, stackPointer);
        return true;
    }

    /// <summary>Loads from the stack at a distance from the stack pointer, which stays; zero-extended.</summary>
    public static bool LoadStack(ref TOps ops, MemSize size, long distance, out T value)
    {
        value = default;
        return ops.Linear(SegmentRegister.Ss, StackOffset(ref ops, distance), 1 << (int)size, write: false, out T linear)
            && ops.Load(linear, size, signed: false, out value);
    }
}
