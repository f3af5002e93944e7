using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Iced.Intel;
using Myna.Cpu.X86.Instructions;
using Myna.Hardware.State;
using Myna.Jit.Memory;
using Myna.Jit.Operations;
using Myna.Jit.X87;

namespace Myna.Cpu.X86;

// x87 control instructions, and its environment in memory (Intel SDM volume 1, 8.1.10, 8.3.10, 8.3.11).
public sealed partial class X86Cpu
{
    private const ushort X87InitialControl = 0x37F;

    /// <summary>An image on its way between registers and memory: one of FSAVE, FXSAVE or XSAVE.</summary>
    [InlineArray(XsaveSize)]
    private struct StateImage
    {
        private byte _first;
    }

    [NotSaved("scratch of one instruction")]
    private StateImage _image;

    private Span<byte> Image => _image;

    /// <summary>Bit 6 is always set, the reserved ones never.</summary>
    private void X87SetControl(int value)
    {
        State.X87Control = (ushort)((value & 0x1F3F) | 0x40);
        X87Summarize();
        HostX87.ClearExceptions();
    }

    private void X87Initialize()
    {
        ref X86Registers state = ref State;
        HostX87.ClearExceptions();
        state.X87Control = X87InitialControl;
        state.X87Status = 0;
        state.X87Empty = 0xFF;
        state.X87Opcode = 0;
        state.X87InstructionPointer = state.X87DataPointer = 0;
        state.X87CodeSelector = state.X87DataSelector = 0;
    }

    /// <summary>Non-waiting instructions look for the device only.</summary>
    private bool X87BeginNoWait()
    {
        if (Flags.X87On)
            return true;
        RaiseException(Vector.NM);
        return false;
    }

    [X86Instruction(Mnemonic.Wait)]
    private Flow X87Wait(in Insn insn)
    {
        if ((_cr0 & (Cr0.MP | Cr0.TS)) == (Cr0.MP | Cr0.TS))
        {
            RaiseException(Vector.NM);
            return Flow.Fault;
        }
        return X87CheckPending() ? Flow.Next : Flow.Fault;
    }

    [X86Instruction(Mnemonic.Fninit)]
    private Flow X87Init(in Insn insn)
    {
        if (!X87BeginNoWait())
            return Flow.Fault;
        X87Initialize();
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Fnclex)]
    private Flow X87ClearExceptions(in Insn insn)
    {
        if (!X87BeginNoWait())
            return Flow.Fault;
        State.X87Status &= StatusConditions | StatusTop;
        HostX87.ClearExceptions();
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Fldcw)]
    private Flow X87LoadControl(in Insn insn)
    {
        if (!X87Begin() || !X87Read(insn, 2, out Vector128<ulong> value))
            return Flow.Fault;
        X87SetControl((int)value[0]);
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Fnstcw)]
    private Flow X87StoreControl(in Insn insn) =>
        X87BeginNoWait() && X87Write(insn, 2, Vector128.CreateScalar((ulong)State.X87Control)) ? Flow.Next : Flow.Fault;

    [X86Instruction(Mnemonic.Fnstsw)]
    private Flow X87StoreStatus(in Insn insn)
    {
        if (!X87BeginNoWait())
            return Flow.Fault;
        if (X87HasMemory(insn))
            return X87Write(insn, 2, Vector128.CreateScalar((ulong)State.X87Status)) ? Flow.Next : Flow.Fault;
        ref ulong rax = ref State.General[0];
        rax = (rax & ~0xFFFFUL) | State.X87Status;
        return Flow.Next;
    }

    /// <summary>FNSTENV saves the environment, then masks all exceptions.</summary>
    [X86Instruction(Mnemonic.Fnstenv)]
    private Flow X87StoreEnvironment(in Insn insn)
    {
        int bytes = insn.Code == Code.Fnstenv_m14byte ? 14 : 28;
        if (!X87BeginNoWait() || !X87ImageAddress(insn, bytes, write: true, bytes == 28, out ulong linear))
            return Flow.Fault;
        X87PackEnvironment(Image, bytes == 28);
        if (!ProbeWrite(linear, bytes, DataMode) || !WriteImage(linear, Image[..bytes]))
            return Flow.Fault;
        X87SetControl(State.X87Control | StatusExceptions);
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Fldenv)]
    private Flow X87LoadEnvironment(in Insn insn)
    {
        int bytes = insn.Code == Code.Fldenv_m14byte ? 14 : 28;
        if (!X87Begin() || !X87ImageAddress(insn, bytes, write: false, bytes == 28, out ulong linear) || !ReadImage(linear, Image[..bytes]))
            return Flow.Fault;
        X87UnpackEnvironment(Image, bytes == 28);
        return Flow.Next;
    }

    /// <summary>FNSAVE saves the environment and the registers from ST(0) on, then initialises the FPU.</summary>
    [X86Instruction(Mnemonic.Fnsave)]
    private Flow X87Save(in Insn insn)
    {
        bool wide = insn.Code != Code.Fnsave_m94byte;
        int environment = wide ? 28 : 14, bytes = environment + 80;
        if (!X87BeginNoWait() || !X87ImageAddress(insn, bytes, write: true, wide, out ulong linear))
            return Flow.Fault;
        Span<byte> image = Image[..bytes];
        X87PackEnvironment(image, wide);
        for (int i = 0; i < 8; i++)
            X87Pack(X87Get(i), image[(environment + (i * 10))..]);
        if (!ProbeWrite(linear, 64, DataMode) || !ProbeWrite(linear + 64, bytes - 64, DataMode) || !WriteImage(linear, image))
            return Flow.Fault;
        X87Initialize();
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Frstor)]
    private Flow X87Restore(in Insn insn)
    {
        bool wide = insn.Code != Code.Frstor_m94byte;
        int environment = wide ? 28 : 14, bytes = environment + 80;
        if (!X87Begin() || !X87ImageAddress(insn, bytes, write: false, wide, out ulong linear) || !ReadImage(linear, Image[..bytes]))
            return Flow.Fault;
        X87UnpackEnvironment(Image, wide);
        for (int i = 0; i < 8; i++)
            State.X87[X87Register(i)] = X87Unpack(Image[(environment + (i * 10))..]);
        return Flow.Next;
    }

    private static void X87Pack(Vector128<ulong> value, Span<byte> to)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(to, value[0]);
        BinaryPrimitives.WriteUInt16LittleEndian(to[8..], (ushort)value[1]);
    }

    private static Vector128<ulong> X87Unpack(ReadOnlySpan<byte> from) =>
        Vector128.Create(BinaryPrimitives.ReadUInt64LittleEndian(from), BinaryPrimitives.ReadUInt16LittleEndian(from[8..]));

    /// <summary>The tag word with two bits a register: valid, zero, special, empty (Intel SDM volume 1, 8.1.7).</summary>
    private int X87TagWord()
    {
        int tags = 0;
        for (int r = 0; r < 8; r++)
        {
            Vector128<ulong> value = State.X87[r];
            int exponent = (int)value[1] & 0x7FFF;
            int tag = (State.X87Empty >> r & 1) != 0 ? 3
                : exponent == 0 && value[0] == 0 ? 1
                : exponent is 0 or 0x7FFF || value[0] >> 63 == 0 ? 2 : 0;
            tags |= tag << (r * 2);
        }
        return tags;
    }

    /// <summary>The four formats of Intel SDM volume 1, figures 8-9 to 8-12: 28 or 14 bytes, protected or real mode.</summary>
    private void X87PackEnvironment(Span<byte> image, bool wide)
    {
        ref X86Registers state = ref State;
        Span<ushort> words = stackalloc ushort[14];
        bool linear = !Flags.Protected;
        uint ip = (uint)state.X87InstructionPointer, dp = (uint)state.X87DataPointer;
        if (linear)
        {
            ip += (uint)state.X87CodeSelector << 4;
            dp += (uint)state.X87DataSelector << 4;
        }
        if (wide)
        {
            words.Fill(0xFFFF);
            words[0] = state.X87Control;
            words[2] = state.X87Status;
            words[4] = (ushort)X87TagWord();
            uint third = linear ? (ip >> 16 << 12) | state.X87Opcode : state.X87CodeSelector | (uint)state.X87Opcode << 16;
            words[6] = (ushort)ip;
            words[8] = (ushort)third;
            words[9] = (ushort)(third >> 16);
            words[10] = (ushort)dp;
            if (linear)
            {
                words[12] = (ushort)(dp >> 16 << 12);
                words[13] = (ushort)(dp >> 16 >> 4);
            }
            else
            {
                words[7] = (ushort)(ip >> 16);
                words[11] = (ushort)(dp >> 16);
                words[12] = state.X87DataSelector;
            }
        }
        else
        {
            words[0] = state.X87Control;
            words[1] = state.X87Status;
            words[2] = (ushort)X87TagWord();
            words[3] = (ushort)ip;
            words[4] = linear ? (ushort)((ip >> 16 << 12) | state.X87Opcode) : state.X87CodeSelector;
            words[5] = (ushort)dp;
            words[6] = linear ? (ushort)(dp >> 16 << 12) : state.X87DataSelector;
        }
        MemoryMarshal.AsBytes(words)[..(wide ? 28 : 14)].CopyTo(image);
    }

    private void X87UnpackEnvironment(ReadOnlySpan<byte> image, bool wide)
    {
        ref X86Registers state = ref State;
        ReadOnlySpan<ushort> words = MemoryMarshal.Cast<byte, ushort>(image[..28]);
        bool linear = !Flags.Protected;
        int step = wide ? 2 : 1;
        int tags = words[2 * step];
        int empty = 0;
        for (int r = 0; r < 8; r++)
            empty |= (tags >> (r * 2) & 3) == 3 ? 1 << r : 0;
        state.X87Empty = (byte)empty;
        state.X87Status = words[step];
        uint ip = words[3 * step], dp = words[5 * step];
        state.X87CodeSelector = state.X87DataSelector = 0;
        if (wide && linear)
        {
            uint third = words[8] | (uint)words[9] << 16, last = words[12] | (uint)words[13] << 16;
            ip |= third >> 12 << 16;
            dp |= last >> 12 << 16;
            state.X87Opcode = (ushort)(third & 0x7FF);
        }
        else if (wide)
        {
            ip |= (uint)words[7] << 16;
            dp |= (uint)words[11] << 16;
            state.X87CodeSelector = words[8];
            state.X87Opcode = (ushort)(words[9] & 0x7FF);
            state.X87DataSelector = words[12];
        }
        else if (linear)
        {
            ip |= (uint)words[4] >> 12 << 16;
            dp |= (uint)words[6] >> 12 << 16;
            state.X87Opcode = (ushort)(words[4] & 0x7FF);
        }
        else
        {
            // The 16-bit protected format has no opcode.
            state.X87CodeSelector = words[4];
            state.X87DataSelector = words[6];
        }
        state.X87InstructionPointer = ip;
        state.X87DataPointer = dp;
        X87SetControl(words[0]);
    }

    /// <summary>Address of an environment or a whole state, which want multiples of 4 or 2 where alignment is checked (Intel SDM volume 3, table 7-7).</summary>
    private bool X87ImageAddress(in Insn insn, int bytes, bool write, bool wide, out ulong linear)
    {
        if (!X87Linear(insn, bytes, write, out linear))
            return false;
        if (DataMode != MmuMode.UserAligned || (linear & (wide ? 3u : 1u)) == 0)
            return true;
        RaiseException(Vector.AC);
        return false;
    }

    // Of images as a whole alignment has been checked.
    private int ImageMode => DataMode == MmuMode.UserAligned ? MmuMode.User : DataMode;

    /// <summary>Reads guest memory into an image; false: it faulted.</summary>
    private bool ReadImage(ulong linear, Span<byte> image)
    {
        int mode = ImageMode;
        int at = 0;
        for (; image.Length - at >= 16; at += 16)
        {
            if (Block.Tlb.TryRead(mode, linear + (ulong)at, out Vector128<byte> chunk))
            {
                chunk.CopyTo(image[at..]);
                continue;
            }
            if (!Load(linear + (ulong)at, MemSize.B8, mode, out ulong low) || !Load(linear + (ulong)at + 8, MemSize.B8, mode, out ulong high))
                return false;
            BinaryPrimitives.WriteUInt64LittleEndian(image[at..], low);
            BinaryPrimitives.WriteUInt64LittleEndian(image[(at + 8)..], high);
        }
        for (; at < image.Length; at += 2)
        {
            if (!Load(linear + (ulong)at, MemSize.B2, mode, out ulong word))
                return false;
            BinaryPrimitives.WriteUInt16LittleEndian(image[at..], (ushort)word);
        }
        return true;
    }

    /// <summary>Writes an image to guest memory that has been probed; false: it faulted all the same.</summary>
    private bool WriteImage(ulong linear, ReadOnlySpan<byte> image)
    {
        int mode = ImageMode;
        int at = 0;
        for (; image.Length - at >= 16; at += 16)
        {
            if (Block.Tlb.TryWrite(mode, linear + (ulong)at, Vector128.Create(image.Slice(at, 16))))
                continue;
            if (!Store(linear + (ulong)at, MemSize.B8, mode, BinaryPrimitives.ReadUInt64LittleEndian(image[at..]))
                || !Store(linear + (ulong)at + 8, MemSize.B8, mode, BinaryPrimitives.ReadUInt64LittleEndian(image[(at + 8)..])))
            {
                return false;
            }
        }
        for (; image.Length - at >= 8; at += 8)
        {
            if (!Store(linear + (ulong)at, MemSize.B8, mode, BinaryPrimitives.ReadUInt64LittleEndian(image[at..])))
                return false;
        }
        for (; at < image.Length; at += 2)
        {
            if (!Store(linear + (ulong)at, MemSize.B2, mode, BinaryPrimitives.ReadUInt16LittleEndian(image[at..])))
                return false;
        }
        return true;
    }
}
