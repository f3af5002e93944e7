using System.Buffers.Binary;
using Myna.Devices.Serial;
using Myna.Hardware.Memory;
using Myna.Hardware.Power;
using Myna.Hardware.State;

namespace Myna.Devices.Power;

/// <summary>
/// The host-target interface of the RISC-V test environments: two words in RAM, tohost and fromhost, at addresses that
/// the guest program defines. The device stands for the pages that hold them; their other bytes are ordinary RAM.
/// A command is device (bits 63:56), command (55:48) and payload (47:0); device 0 ends the program or makes a
/// proxied system call, device 1 is the console.
/// LIMIT: guests cannot run code from those pages, nor use atomic operations there.
/// </summary>
[Stateful("htif")]
public sealed partial class Htif : IMmio
{
    private const ulong SysWrite = 64, SysExit = 93;
    private const int MaximumWrite = 1 << 20;

    private readonly Lock _lock = new();
    private readonly AddressSpace _memory;
    private readonly Ram _ram;
    private readonly ulong _offset;
    private readonly ulong _tohost;
    private readonly ulong _fromhost;
    private readonly IPowerControl _power;
    private readonly IFirmwareConsole _console;
    [Saved(1)] private bool _wantsInput;

    /// <param name="memory">For the buffers of system calls.</param>
    /// <param name="ram">The RAM that the device lies over.</param>
    /// <param name="offset">Where in it the device begins.</param>
    /// <param name="tohost">Offset of the word from the start of the device; likewise <paramref name="fromhost"/>.</param>
    public Htif(AddressSpace memory, Ram ram, ulong offset, ulong tohost, ulong fromhost, IPowerControl power, IFirmwareConsole console)
    {
        _memory = memory;
        _ram = ram;
        _offset = offset;
        _tohost = tohost;
        _fromhost = fromhost;
        _power = power;
        _console = console;
    }

    /// <summary>The RAM underneath.</summary>
    public Ram Ram => _ram;

    /// <summary>Where in it the device begins.</summary>
    public ulong RamOffset => _offset;

    /// <inheritdoc/>
    public bool Read(ulong offset, int size, out ulong value)
    {
        if (offset == _fromhost)
        {
            lock (_lock)
                AnswerInput();
        }
        ReadOnlySpan<byte> bytes = _ram.Get(_offset + offset, size);
        value = size switch
        {
            1 => bytes[0],
            2 => BinaryPrimitives.ReadUInt16LittleEndian(bytes),
            4 => BinaryPrimitives.ReadUInt32LittleEndian(bytes),
            _ => BinaryPrimitives.ReadUInt64LittleEndian(bytes),
        };
        return true;
    }

    /// <inheritdoc/>
    public bool Write(ulong offset, int size, ulong value)
    {
        lock (_lock)
        {
            Span<byte> word = stackalloc byte[8];
            BinaryPrimitives.WriteUInt64LittleEndian(word, value);
            word[..size].CopyTo(_ram.GetForWrite(_offset + offset, size));
            bool high = size == 4 && offset == _tohost + 4;
            if (offset == _tohost || high)
            {
                ulong command = Get(_tohost);
                // A 32-bit program writes the halves one after the other: a command is whole with its high half, except
                // that an exit status may be written by its low half alone.
                if (command != 0 && (size == 8 || high || (command & ~0xffff_fffful | (command & 1)) == 1))
                    Execute(command);
            }
        }
        return true;
    }

    /// <summary>Power-on state.</summary>
    public void Reset()
    {
        lock (_lock)
            _wantsInput = false;
    }

    private void Sync() { }

    private ulong Get(ulong offset) => BinaryPrimitives.ReadUInt64LittleEndian(_ram.Get(_offset + offset, 8));
    private void Set(ulong offset, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(_ram.GetForWrite(_offset + offset, 8), value);

    private void Execute(ulong command)
    {
        ulong payload = command & 0xffff_ffff_ffff;
        switch (command >> 48)
        {
            case 0x0000 when (payload & 1) != 0:
                // tohost stays as it is: the program may loop on it.
                _power.PowerOff((int)Math.Min(payload >> 1, int.MaxValue));
                return;
            case 0x0000:
                Set(_tohost, 0);
                SystemCall(payload);
                Set(_fromhost, 1);
                return;
            case 0x0100:
                Set(_tohost, 0);
                _wantsInput = true;
                return;
            case 0x0101:
                Set(_tohost, 0);
                _console.ConsoleWrite([(byte)payload]);
                Set(_fromhost, 0x0101ul << 48);
                return;
            default:
                Set(_tohost, 0);
                return;
        }
    }

    /// <summary>Eight words at an address: the number of the call and its arguments; the result replaces the number.</summary>
    private void SystemCall(ulong address)
    {
        Span<byte> block = stackalloc byte[64];
        if (!_memory.Read(address, block))
            return;
        ulong number = BinaryPrimitives.ReadUInt64LittleEndian(block);
        ulong buffer = BinaryPrimitives.ReadUInt64LittleEndian(block[16..]);
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(block[24..]);
        long result = number switch
        {
            SysWrite => WriteConsole(buffer, length),
            SysExit => Exit((int)BinaryPrimitives.ReadUInt64LittleEndian(block[8..])),
            _ => -38, // ENOSYS
        };
        BinaryPrimitives.WriteInt64LittleEndian(block, result);
        _memory.Write(address, block[..8]);
    }

    private long WriteConsole(ulong address, ulong length)
    {
        byte[] text = new byte[(int)Math.Min(length, MaximumWrite)];
        if (!_memory.Read(address, text))
            return -14; // EFAULT
        _console.ConsoleWrite(text);
        return text.Length;
    }

    private long Exit(int status)
    {
        _power.PowerOff(status);
        return 0;
    }

    /// <summary>A program that asked for a character polls fromhost until it comes.</summary>
    private void AnswerInput()
    {
        Span<byte> input = stackalloc byte[1];
        if (!_wantsInput || Get(_fromhost) != 0 || _console.ConsoleRead(input) == 0)
            return;
        _wantsInput = false;
        Set(_fromhost, (0x0100ul << 48) | 0x100u | input[0]);
    }
}
