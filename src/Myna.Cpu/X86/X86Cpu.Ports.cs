using Iced.Intel;
using Myna.Cpu.X86.Instructions;
using Myna.Hardware.Memory;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

/// <summary>I/O ports (Intel SDM volume 1, chapter 19).</summary>
public sealed partial class X86Cpu
{
    /// <summary>Whether the guest may use a port: IOPL, else the I/O permission bitmap of the TSS; delivers #GP.</summary>
    public bool CheckPort(ushort port, int size) => TryCheckPort(port, size) || Delivered();

    private bool TryCheckPort(ushort port, int size)
    {
        if (!IsProtected || (_cpl <= Iopl && !IsV86))
            return true;
        // The bitmap is a matter of 32-bit and 64-bit TSSs; its offset is at byte 102 in both.
        if ((_tr.Rights & 8) == 0 || _tr.Limit < 103)
            return Fault(Vector.GP);
        if (!TryReadSystem(_tr.Base + 102, MemSize.B2, out ulong map))
            return false;
        ulong first = map + ((ulong)port >> 3);
        if (first + 1 > _tr.Limit)
            return Fault(Vector.GP);
        if (!TryReadSystem(_tr.Base + first, MemSize.B2, out ulong bits))
            return false;
        return (bits >> (port & 7) & ((1UL << size) - 1)) == 0 || Fault(Vector.GP);
    }

    /// <summary>A read of a port that <see cref="CheckPort"/> allowed.</summary>
    /// <param name="size">1, 2 or 4 bytes.</param>
    /// <param name="value">Zero-extended; all ones where nothing answers.</param>
    /// <returns>True.</returns>
    public bool In(ushort port, int size, out ulong value)
    {
        NotePortBreakpoint(port, size);
        value = ReadPort(port, size);
        return true;
    }

    /// <summary>A write to a port that <see cref="CheckPort"/> allowed; it vanishes where nothing answers.</summary>
    /// <returns>True.</returns>
    public bool Out(ushort port, int size, ulong value)
    {
        NotePortBreakpoint(port, size);
        WritePort(port, size, value);
        return true;
    }

    private ulong ReadPort(int port, int size)
    {
        if (IsWhole(port, size) && _ports.Load((ulong)port, size, out ulong value))
            return value;
        if (size == 1)
            return 0xFF;
        // A device that has no register of this width, or several devices: halves, as the bus would do it.
        int half = size / 2;
        return ReadPort(port, half) | ReadPort(port + half, half) << (8 * half);
    }

    private void WritePort(int port, int size, ulong value)
    {
        if ((IsWhole(port, size) && _ports.Store((ulong)port, size, value)) || size == 1)
            return;
        int half = size / 2;
        WritePort(port, half, value & (half == 1 ? 0xFFu : 0xFFFF));
        WritePort(port + half, half, value >> (8 * half));
    }

    private bool IsWhole(int port, int size)
        => (port & (size - 1)) == 0 && _ports.Find((ulong)port) is { } region && region.Size - ((ulong)port - region.Start) >= (ulong)size;

    // With CR4.DE, type 2 of DR7 is a port.
    private void NotePortBreakpoint(ushort port, int size)
    {
        if (!_watchesData || (_cr4 & Cr4.DE) == 0)
            return;
        for (int i = 0; i < 4; i++)
        {
            ulong length = (ulong)BreakpointLength(i);
            if (IsBreakpointEnabled(i) && BreakpointType(i) == 2 && _dr[i] < (ulong)(port + size) && port < _dr[i] + length)
                _debugPending |= 1UL << i;
        }
    }

    [X86Instruction(Mnemonic.In)]
    internal Flow In(in Insn insn)
    {
        int size = insn.Op0.Size;
        ushort port = Port(insn.Op1, insn);
        if (!TryCheckPort(port, size))
            return Faulted();
        In(port, size, out ulong value);
        SetGeneral(0, insn.Op0.Width, value);
        return Flow.Resync;
    }

    [X86Instruction(Mnemonic.Out)]
    internal Flow Out(in Insn insn)
    {
        int size = insn.Op1.Size;
        ushort port = Port(insn.Op0, insn);
        if (!TryCheckPort(port, size))
            return Faulted();
        Out(port, size, State.General[0] & Mask(insn.Op1.Width));
        return Flow.Resync;
    }

    private ushort Port(in Operand operand, in Insn insn) => operand.Kind == OperandKind.Immediate ? (byte)insn.Immediate : (ushort)State.General[2];

    private void SetGeneral(int register, MemSize size, ulong value)
    {
        ref ulong target = ref State.General[register];
        target = size switch
        {
            MemSize.B1 => target & ~0xFFUL | (byte)value,
            MemSize.B2 => target & ~0xFFFFUL | (ushort)value,
            MemSize.B4 => (uint)value,
            _ => value,
        };
    }
}
