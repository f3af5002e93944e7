using Myna.Hardware.Backends;
using Myna.Hardware.Firmware;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Flash;

/// <summary>How a bank of flash is made of chips.</summary>
/// <param name="SectorSize">Bytes of the bank that are erased at once.</param>
/// <param name="Lanes">Bytes of the bus that a chip has: 2 for chips of 16 bits in pairs, 1 for a single chip of 8 bits.</param>
/// <param name="Chips">Chips side by side.</param>
/// <param name="ClearsReady">
/// DEVIATION: clearing the status register clears the ready bit too, as in QEMU; OVMF knows flash by it (EDK II, QemuFlash.c).
/// </param>
public sealed record CfiFlashLayout(int SectorSize, int Lanes, int Chips, bool ClearsReady = false)
{
    /// <summary>Two chips of 16 bits on a bus of 32, sectors of 256 KiB: boards for RISC-V.</summary>
    public static CfiFlashLayout Pair { get; } = new(256 * 1024, 2, 2);

    /// <summary>One chip of 8 bits, sectors of 4 KiB: PCs.</summary>
    public static CfiFlashLayout Single { get; } = new(4096, 1, 1, ClearsReady: true);
}

/// <summary>The addresses of a flash whose array guests see as memory.</summary>
public interface IFlashWindow
{
    /// <summary>Whether reads and fetches get the array, or the device's answers. Told again what it knows, it does nothing.</summary>
    void Show(bool array);
}

/// <summary>
/// A bank of parallel NOR flash with Intel's basic command set (JEDEC JESD68 common flash interface, command set 0001).
/// Guests run code from it where it has a window.
/// </summary>
[Stateful("cfi-flash")]
public sealed partial class CfiFlash : IMmio, IPlatformDevice
{
    private const uint MaximumBufferBytes = 2048;
    private const byte StatusReady = 0x80, StatusProgramError = 0x10, StatusEraseError = 0x20, StatusSequenceError = 0x30;

    private readonly Lock _lock = new();

    private readonly Ram _cells;
    private readonly byte _inversion;
    private readonly CfiFlashLayout _layout;
    private readonly IFlashBackend? _backend;
    private readonly IFlashWindow? _window;
    [Saved(1)] private Mode _mode;
    [Saved(2)] private byte _status = StatusReady;
    [Saved(3)] private Command _command;
    [Saved(4)] private uint _bufferLeft;

    // What the back end does not have yet.
    [Saved(5)] private ulong _changedStart = ulong.MaxValue;
    [Saved(6)] private ulong _changedEnd;

    private enum Mode : byte { Array, Status, Query, Id }
    private enum Command : byte { None, Program, Erase, BufferCount, BufferData, BufferConfirm, Lock }

    /// <param name="cells">
    /// The content; the machine owns it and saves it with its memory. Without back end and window each byte is inverted, so that
    /// erased flash (all ones) costs the host no memory.
    /// </param>
    /// <param name="layout">Null for <see cref="CfiFlashLayout.Pair"/>.</param>
    /// <param name="backend">Keeps what the guest writes; its content goes to <paramref name="cells"/> first, and has that length.</param>
    /// <param name="window">Shows guests the array as memory.</param>
    public CfiFlash(Ram cells, CfiFlashLayout? layout = null, IFlashBackend? backend = null, IFlashWindow? window = null)
    {
        _cells = cells;
        _layout = layout ?? CfiFlashLayout.Pair;
        _backend = backend;
        _window = window;
        _inversion = (byte)(backend is null && window is null ? 0xff : 0);
        backend?.Read(cells.GetForWrite(0, (int)cells.Size));
    }

    /// <inheritdoc/>
    public string NodeName => "flash";

    /// <inheritdoc/>
    public ulong Size => _cells.Size;

    /// <inheritdoc/>
    public bool Read(ulong offset, int size, out ulong value)
    {
        lock (_lock)
        {
            value = 0;
            for (int i = size - 1; i >= 0; i--)
                value = value << 8 | ReadByte(offset + (ulong)i);
        }
        return true;
    }

    /// <inheritdoc/>
    public bool Write(ulong offset, int size, ulong value)
    {
        lock (_lock)
        {
            // The bus is 32 bits wide: a wider store is two cycles.
            for (; size > 4; size -= 4, offset += 4, value >>= 32)
                Cycle(offset, 4, (uint)value);
            Cycle(offset, size, (uint)value);
        }
        return true;
    }

    /// <inheritdoc/>
    public void Reset()
    {
        lock (_lock)
        {
            Show(Mode.Array);
            _status = StatusReady;
            _command = Command.None;
            _bufferLeft = 0;
            Store();
        }
    }

    /// <inheritdoc/>
    public void Describe(DeviceTreeNode node) => node.SetStrings("compatible", "cfi-flash").SetCells("bank-width", 4);

    private void Sync() => Show(_mode);

    private void Show(Mode mode)
    {
        _mode = mode;
        _window?.Show(array: mode == Mode.Array);
    }

    private byte ReadByte(ulong offset)
    {
        // All chips answer alike, each in its own part of the bus.
        bool lowLane = (offset & (ulong)(_layout.Lanes - 1)) == 0;
        int bus = _layout.Lanes * _layout.Chips;
        return _mode switch
        {
            Mode.Array => (byte)(_cells.Get(offset, 1)[0] ^ _inversion),
            Mode.Status => lowLane ? _status : (byte)0,
            Mode.Query => lowLane ? Query((int)(offset / (ulong)bus & 0xff)) : (byte)0,
            _ => lowLane ? Identifier((int)(offset / (ulong)bus & 0xff)) : (byte)0,
        };
    }

    /// <summary>Intel 28F256: manufacturer, device, block lock status (never locked).</summary>
    private static byte Identifier(int word) => word switch { 0 => 0x89, 1 => 0x18, _ => 0 };

    /// <summary>The query structure of JESD68.01, tables 1 to 4, for one chip.</summary>
    private byte Query(int word)
    {
        int sectors = (int)(Size / (ulong)_layout.SectorSize) - 1;
        // A chip holds its share of each sector of the bank; in units of 256 bytes.
        int chipSector = _layout.SectorSize / _layout.Chips / 256;
        return word switch
        {
            0x10 => (byte)'Q', 0x11 => (byte)'R', 0x12 => (byte)'Y',
            0x13 => 0x01, // primary command set: Intel
            0x15 => 0x31, // address of the primary table
            0x1b => 0x45, 0x1c => 0x55, // Vcc 4.5 to 5.5 V
            0x1f => 0x07, 0x20 => 0x07, 0x21 => 0x0a, // typical times 2^n
            0x23 => 0x04, 0x24 => 0x04, 0x25 => 0x04, // maximum times
            0x27 => (byte)System.Numerics.BitOperations.Log2(Size / (ulong)_layout.Chips), // bytes of one chip, 2^n
            0x28 => (byte)(_layout.Lanes - 1), // 16-bit or 8-bit interface
            0x2a => 0x0a, // write buffer of 1 KiB a chip
            0x2c => 0x01, // one erase region
            0x2d => (byte)sectors, 0x2e => (byte)(sectors >> 8),
            0x2f => (byte)chipSector, 0x30 => (byte)(chipSector >> 8),
            0x31 => (byte)'P', 0x32 => (byte)'R', 0x33 => (byte)'I', 0x34 => (byte)'1', 0x35 => (byte)'0',
            0x3f => 0x01,
            _ => 0,
        };
    }

    private void Cycle(ulong offset, int size, uint value)
    {
        byte command = (byte)value;
        switch (_command)
        {
            case Command.None: Begin(command, offset); break;
            case Command.Program:
                Program(offset, size, value);
                Finish(StatusReady);
                break;
            case Command.Erase:
                if (command == 0xd0)
                {
                    ulong sector = offset / (ulong)_layout.SectorSize * (ulong)_layout.SectorSize;
                    _cells.GetForWrite(sector, _layout.SectorSize).Fill((byte)~_inversion);
                    Changed(sector, _layout.SectorSize);
                    Finish(StatusReady);
                }
                else
                    Finish(StatusReady | StatusSequenceError);
                break;
            case Command.BufferCount:
                // The count is words of one chip, less one.
                _bufferLeft = (command + 1u) * (uint)(_layout.Lanes * _layout.Chips);
                if (_bufferLeft > MaximumBufferBytes)
                    Finish(StatusReady | StatusSequenceError);
                else
                    _command = Command.BufferData;
                break;
            case Command.BufferData:
                // DEVIATION: data goes to the array at once instead of at the confirmation.
                Program(offset, size, value);
                _bufferLeft -= Math.Min(_bufferLeft, (uint)size);
                if (_bufferLeft == 0)
                    _command = Command.BufferConfirm;
                break;
            case Command.BufferConfirm:
                Finish(command == 0xd0 ? StatusReady : (byte)(StatusReady | StatusSequenceError));
                break;
            case Command.Lock:
                Finish(command is 0x01 or 0xd0 or 0x2f ? StatusReady : (byte)(StatusReady | StatusSequenceError));
                break;
        }
    }

    private void Begin(byte command, ulong offset)
    {
        switch (command)
        {
            case 0x10 or 0x40: Enter(Command.Program); break;
            case 0x20: Enter(Command.Erase); break;
            case 0x50:
                _status = _layout.ClearsReady ? (byte)0 : StatusReady;
                Show(Mode.Array);
                break;
            case 0x60: Enter(Command.Lock); break;
            case 0x70: Show(Mode.Status); break;
            case 0x90: Show(Mode.Id); break;
            case 0x98: Show(Mode.Query); break;
            case 0xe8: Enter(Command.BufferCount); break;
            // 0xff; 0xf0 as drivers for the other command set probe with it. A driver is done with what it writes.
            default:
                Show(Mode.Array);
                Store();
                break;
        }
    }

    private void Enter(Command command)
    {
        _command = command;
        Show(Mode.Status);
        _status = StatusReady;
    }

    private void Finish(byte status)
    {
        _command = Command.None;
        Show(Mode.Status);
        _status = status;
        _bufferLeft = 0;
    }

    /// <summary>Programming can only turn ones into zeroes.</summary>
    private void Program(ulong offset, int size, uint value)
    {
        Span<byte> cells = _cells.GetForWrite(offset, size);
        for (int i = 0; i < size; i++)
            cells[i] = (byte)(((cells[i] ^ _inversion) & (byte)(value >> (8 * i))) ^ _inversion);
        Changed(offset, size);
    }

    private void Changed(ulong offset, int size)
    {
        _changedStart = Math.Min(_changedStart, offset);
        _changedEnd = Math.Max(_changedEnd, offset + (ulong)size);
    }

    /// <summary>Gives the back end what has changed.</summary>
    private void Store()
    {
        if (_backend is not null && _changedStart < _changedEnd)
        {
            _backend.Write(_changedStart, _cells.Get(_changedStart, (int)(_changedEnd - _changedStart)));
        }
        _changedStart = ulong.MaxValue;
        _changedEnd = 0;
    }
}
