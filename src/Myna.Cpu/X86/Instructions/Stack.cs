using Iced.Intel;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86.Instructions;

/// <summary>The stack (Intel SDM volume 1, chapter 6). PUSH and POP of segment registers and flags are system instructions.</summary>
internal static class Stack<TOps, T, V>
    where TOps : struct, IX86Ops<T, V>, allows ref struct where T : struct where V : struct
{
    [X86Instruction(Mnemonic.Push)]
    public static void Push(ref TOps ops, in Insn insn)
    {
        if (Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op0, out T value))
            Operands<TOps, T, V>.Push(ref ops, insn.OperandSize, value);
    }

    [X86Instruction(Mnemonic.Pop)]
    public static void Pop(ref TOps ops, in Insn insn)
    {
        MemSize size = insn.OperandSize;
        int bytes = 1 << (int)size;
        if (!Operands<TOps, T, V>.LoadStack(ref ops, size, 0, out T value))
            return;
        T stackPointer = Operands<TOps, T, V>.StackOffset(ref ops, bytes);
        if (insn.Op0.Kind == OperandKind.Memory)
        {
            T offset = Operands<TOps, T, V>.EffectiveAddress(ref ops, in insn);
            // An address made with the stack pointer uses its new value.
            if (insn.Base == 4)
                offset = Operands<TOps, T, V>.Reduce(ref ops, ops.Add(offset, ops.Const((ulong)bytes)), insn.AddressSize);
            if (!ops.Linear(insn.Segment, offset, bytes, write: true, out T linear) || !ops.Store(linear, size, value))
                return;
            Operands<TOps, T, V>.SetStackPointer(ref ops, stackPointer);
            return;
        }
        // A popped stack pointer wins over the incremented one.
        Operands<TOps, T, V>.SetStackPointer(ref ops, stackPointer);
        Operands<TOps, T, V>.WriteRegister(ref ops, in insn.Op0, value);
    }

    [X86Instruction(Mnemonic.Pusha, Mnemonic.Pushad)]
    public static void Pusha(ref TOps ops, in Insn insn)
    {
        MemSize size = insn.Mnemonic == Mnemonic.Pusha ? MemSize.B2 : MemSize.B4;
        int bytes = 1 << (int)size;
        for (int register = 0; register < 8; register++)
        {
            T stackPointer = Operands<TOps, T, V>.StackOffset(ref ops, -bytes * (register + 1));
            if (!ops.Linear(SegmentRegister.Ss, stackPointer, bytes, write: true, out T linear) || !ops.Store(linear, size, ops.Get(register << 3)))
                return;
        }
        Operands<TOps, T, V>.SetStackPointer(ref ops, Operands<TOps, T, V>.StackOffset(ref ops, -bytes * 8));
    }

    [X86Instruction(Mnemonic.Popa, Mnemonic.Popad)]
    public static void Popa(ref TOps ops, in Insn insn)
    {
        MemSize size = insn.Mnemonic == Mnemonic.Popa ? MemSize.B2 : MemSize.B4;
        int bytes = 1 << (int)size;
        // A fault leaves the registers loaded that came before it, and the stack pointer where it was, as the processors do.
        for (int i = 0; i < 8; i++)
        {
            int register = 7 - i;
            if (!Operands<TOps, T, V>.LoadStack(ref ops, size, i * bytes, out T value))
                return;
            // ESP's image is read and thrown away.
            if (register != 4)
                Operands<TOps, T, V>.SetRegister(ref ops, register << 3, size, value);
        }
        Operands<TOps, T, V>.SetStackPointer(ref ops, Operands<TOps, T, V>.StackOffset(ref ops, 8 * bytes));
    }

    [X86Instruction(Mnemonic.Leave)]
    public static void Leave(ref TOps ops, in Insn insn)
    {
        MemSize size = insn.OperandSize;
        MemSize stack = Operands<TOps, T, V>.StackSize(ref ops);
        T frame = Operands<TOps, T, V>.Reduce(ref ops, ops.Get(Operands<TOps, T, V>.Rbp), stack);
        if (!ops.Linear(SegmentRegister.Ss, frame, 1 << (int)size, write: false, out T linear) || !ops.Load(linear, size, signed: false, out T value))
            return;
        Operands<TOps, T, V>.SetStackPointer(ref ops, ops.Add(frame, ops.Const(1u << (int)size)));
        Operands<TOps, T, V>.SetRegister(ref ops, Operands<TOps, T, V>.Rbp, size, value);
    }

    [X86Instruction(Mnemonic.Enter)]
    public static void Enter(ref TOps ops, in Insn insn)
    {
        MemSize size = insn.OperandSize;
        MemSize stack = Operands<TOps, T, V>.StackSize(ref ops);
        int bytes = 1 << (int)size;
        int level = insn.Immediate2 & 31;
        T rbp = ops.Get(Operands<TOps, T, V>.Rbp);
        if (!Operands<TOps, T, V>.StorePush(ref ops, size, rbp, out T frame))
            return;
        // The frame pointer has the operand size: of a stack of 16 bits, ESP's upper half is in it.
        if (stack == MemSize.B2 && size == MemSize.B4)
            frame = ops.Or(frame, ops.And(ops.Get(Operands<TOps, T, V>.Rsp), ops.Const(0xFFFF_0000)));
        int depth = 1;
        for (int i = 1; i <= level; i++)
        {
            // The frame pointers of the enclosing procedures, then this one's.
            T pushed = frame;
            if (i < level)
            {
                T display = Operands<TOps, T, V>.Reduce(ref ops, ops.Sub(rbp, ops.Const((ulong)(i * bytes))), stack);
                if (!ops.Linear(SegmentRegister.Ss, display, bytes, write: false, out T from) || !ops.Load(from, size, signed: false, out pushed))
                    return;
            }
            depth++;
            T stackPointer = Operands<TOps, T, V>.StackOffset(ref ops, -bytes * depth);
            if (!ops.Linear(SegmentRegister.Ss, stackPointer, bytes, write: true, out T to) || !ops.Store(to, size, pushed))
                return;
        }
        long allocated = (long)(insn.Immediate & 0xFFFF);
        T last = Operands<TOps, T, V>.StackOffset(ref ops, (-bytes * depth) - allocated);
        // It faults when the new stack pointer points to what cannot be written (Intel SDM volume 2, ENTER).
        if (!ops.Linear(SegmentRegister.Ss, last, bytes, write: true, out T top) || !ops.LoadForUpdate(top, size, out _))
            return;
        Operands<TOps, T, V>.SetStackPointer(ref ops, last);
        // On a stack of 16 bits BP alone, whatever the operand size.
        Operands<TOps, T, V>.SetRegister(ref ops, Operands<TOps, T, V>.Rbp, size < stack ? size : stack, frame);
    }
}
