using System.Buffers.Binary;
using Myna.Devices.Scsi;
using Myna.Devices.Storage;
using Myna.Hardware.Backends;
using Myna.Hardware.State;

namespace Myna.Devices.Usb;

/// <summary>
/// A mass storage device with the bulk-only transport (USB Mass Storage Class, Bulk-Only Transport 1.0) and one logical unit.
/// </summary>
[Stateful("usb-storage")]
public sealed partial class UsbStorage : UsbDevice
{
    private const int In = 0x81, Out = 0x02, CommandSize = 31, StatusSize = 13, BlockMask = 511, CdbSize = 16;
    private const uint CommandSignature = 0x4342_5355, StatusSignature = 0x5342_5355;
    private const byte GET_MAX_LUN = 0xfe, RESET = 0xff, Passed = 0, Failed = 1, PhaseError = 2;

    private enum Stage : byte
    {
        Command,
        DataIn,
        DataOut,
        Status,

        /// <summary>What came was no command: only a reset helps (section 6.6.1).</summary>
        Confused,
    }

    [Saved(20)] private readonly ScsiUnit _unit;
    [Saved(21)] private Stage _stage;
    [Saved(22)] private uint _tag;

    // Bytes that the host expects to move, that the unit wants to, and that have been moved.
    [Saved(23)] private uint _expected;
    [Saved(24)] private Transfer _transfer;
    [Saved(25)] private uint _position;
    [Saved(26)] private uint _used;
    [Saved(27)] private bool _phaseError;
    [Saved(28)] private byte _operation;

    // What follows the command.
    [Saved(29)] private Stage _after;

    [NotSaved("drained before saving")] private bool _busy;
    [NotSaved("drained before saving")] private bool _accepting;
    [NotSaved("work begun before a reset is forgotten")] private bool _stale;

    private UsbStorage(ScsiUnit unit, string serial, UsbSpeed speed)
        : base("usb-storage", speed, new UsbDescription(speed, 0x46f4, 0x0001, "Myna USB Storage", serial.Length == 0 ? "1" : serial, default, (8, 6, 0x50), [],
            new UsbEndpoint(In, UsbEndpoint.Bulk, PacketSize(speed)), new UsbEndpoint(Out, UsbEndpoint.Bulk, PacketSize(speed))))
    {
        _unit = unit;
        unit.Reset();
    }

    /// <summary>A disk.</summary>
    public static UsbStorage Disk(IBlockBackend disk, string serial = "", UsbSpeed speed = UsbSpeed.Super) => new(new ScsiDisk(disk, serial), serial, speed);

    /// <summary>A CD drive.</summary>
    /// <param name="disc">The disc, or null for none.</param>
    public static UsbStorage Cdrom(IBlockBackend? disc, string serial = "", UsbSpeed speed = UsbSpeed.Super) => new(new ScsiCdrom(disc, serial), serial, speed);

    /// <summary>Exchanges the disc of a CD drive. Any thread.</summary>
    /// <param name="medium">The new disc, or null to take it out.</param>
    /// <param name="force">Whatever the guest says about it.</param>
    /// <returns>False when it is no CD drive, or the guest has locked its tray.</returns>
    public bool ExchangeMedium(IBlockBackend? medium, bool force)
    {
        lock (Lock)
            return _unit is ScsiCdrom cdrom && cdrom.Exchange(medium, force);
    }

    internal override void BusReset()
    {
        base.BusReset();
        Abandon();
    }

    internal override void PowerOn()
    {
        base.PowerOn();
        (_tag, _expected, _position, _used, _operation) = (0, 0, 0, 0, 0);
        _transfer = default;
        _phaseError = false;
        _unit.Reset();
    }

    /// <summary>Work at the back end has ended. Any thread.</summary>
    internal void Ended(UsbTransfer transfer, BlockStatus status)
    {
        lock (Lock)
        {
            _busy = false;
            if (_stale)
                _stale = false;
            else
                Advance(transfer, status);
            Host!.Completed(transfer, UsbStatus.Ok);
            Host.Ready(this, In);
            Host.Ready(this, Out);
        }
    }

    private void Advance(UsbTransfer transfer, BlockStatus status)
    {
        // What the transfer was for: a command that moves nothing, parameters, or the medium's content.
        if (_stage == Stage.Command || _accepting)
        {
            transfer.Done = transfer.Length;
            _unit.End(_transfer, status);
            if (_accepting)
                Moved(transfer.Length);
            else
                Turn();
            _accepting = false;
            return;
        }
        uint n = Math.Min(transfer.Length, _transfer.Length - _used) & ~(uint)BlockMask;
        if (status == BlockStatus.Ok)
        {
            _used += n;
            transfer.Done = _stage == Stage.DataIn ? n : transfer.Length;
            Moved(transfer.Done, transfer.Length);
        }
        else
        {
            _unit.End(_transfer, status);
            transfer.Done = _stage == Stage.DataIn ? 0 : transfer.Length;
            // The rest of what the host sends is taken and forgotten.
            _transfer = default;
            Moved(transfer.Done, transfer.Length);
        }
    }

    private protected override UsbStatus Execute(UsbTransfer transfer)
    {
        if (_busy)
            return UsbStatus.Nak;
        return (_stage, transfer.Endpoint) switch
        {
            (Stage.Command, Out) => Command(transfer),
            (Stage.DataIn, In) => DataIn(transfer),
            (Stage.DataOut, Out) => DataOut(transfer),
            (Stage.Status, In) => Status(transfer),
            (Stage.Confused, _) => UsbStatus.Stall,
            _ => UsbStatus.Nak,
        };
    }

    private protected override int ClassRequest(in UsbSetup setup, Span<byte> data)
    {
        switch (setup.Request, setup.IsIn)
        {
            case (GET_MAX_LUN, true):
                return Answer([0], data);
            case (RESET, false):
                Abandon();
                return 0;
            default:
                return Refused;
        }
    }

    private protected override void HaltCleared(int endpoint)
    {
        // Section 6.6.1: both stay halted until the reset.
        if (_stage == Stage.Confused)
            Halt(endpoint);
    }

    private static ushort PacketSize(UsbSpeed speed) => speed switch { UsbSpeed.Super => 1024, UsbSpeed.High => 512, _ => 64 };

    private void Abandon()
    {
        _stage = Stage.Command;
        _stale = _busy;
        _accepting = false;
    }

    /// <summary>A command block wrapper (section 5.1).</summary>
    private UsbStatus Command(UsbTransfer transfer)
    {
        Span<byte> wrapper = stackalloc byte[CommandSize];
        int length = transfer.Buffer.Read(0, wrapper), cdbLength = wrapper[14];
        if (length != CommandSize || transfer.Length != CommandSize || BinaryPrimitives.ReadUInt32LittleEndian(wrapper) != CommandSignature
            || (wrapper[13] & 0x0f) != 0 || cdbLength is < 1 or > CdbSize)
        {
            _stage = Stage.Confused;
            Halt(In);
            Halt(Out);
            return UsbStatus.Stall;
        }
        transfer.Done = CommandSize;
        _tag = BinaryPrimitives.ReadUInt32LittleEndian(wrapper[4..]);
        _expected = BinaryPrimitives.ReadUInt32LittleEndian(wrapper[8..]);
        bool hostReads = (wrapper[12] & 0x80) != 0;
        Span<byte> cdb = wrapper.Slice(15, CdbSize);
        cdb[cdbLength..].Clear();
        _operation = cdb[0];
        (_position, _used) = (0, 0);
        _transfer = _unit.Begin(cdb);
        bool unitSends = _transfer.Kind is TransferKind.In or TransferKind.Read, moves = unitSends || _transfer.Kind is TransferKind.Out or TransferKind.Write;
        // The thirteen cases (section 6.7): the device wants to move more than the host does, or the other way.
        _phaseError = moves && (_expected < _transfer.Length || hostReads != unitSends);
        if (_phaseError)
            _transfer = default;
        _stage = Stage.Command;
        _after = _expected == 0 ? Stage.Status : hostReads ? Stage.DataIn : Stage.DataOut;
        if (_transfer.Kind == TransferKind.Flush && _unit.Medium is { } medium)
        {
            _busy = true;
            transfer.Start(this, medium, _transfer);
            return UsbStatus.Pending;
        }
        Turn();
        return UsbStatus.Ok;
    }

    private void Turn()
    {
        _stage = _after;
        Host?.Ready(this, In);
        Host?.Ready(this, Out);
    }

    private UsbStatus DataIn(UsbTransfer transfer)
    {
        uint left = _transfer.Length - _used;
        if (_transfer.Kind == TransferKind.Read && left != 0 && transfer.Length != 0)
        {
            uint n = Math.Min(transfer.Length, left) & ~(uint)BlockMask;
            if (n == 0 || _unit.Medium is not { } medium)
                return UsbStatus.Babble;
            _busy = true;
            transfer.Start(this, medium, new Transfer(TransferKind.Read, _transfer.Offset + _used, n));
            return UsbStatus.Pending;
        }
        if (_transfer.Kind == TransferKind.In && left != 0)
        {
            int n = (int)Math.Min(Math.Min(transfer.Length, left), ScsiUnit.BufferSize - _used);
            _ = transfer.Put(_unit.Buffer.AsSpan((int)_used, n));
            _used += (uint)n;
        }
        Moved(transfer.Done, transfer.Length);
        return UsbStatus.Ok;
    }

    private UsbStatus DataOut(UsbTransfer transfer)
    {
        uint left = _transfer.Length - _used;
        if (_transfer.Kind == TransferKind.Write && left != 0)
        {
            uint n = Math.Min(transfer.Length, left) & ~(uint)BlockMask;
            if (n != 0 && _unit.Medium is { } medium)
            {
                _busy = true;
                transfer.Start(this, medium, _transfer with { Offset = _transfer.Offset + _used, Length = n });
                return UsbStatus.Pending;
            }
        }
        else if (_transfer.Kind == TransferKind.Out && left != 0)
        {
            int n = (int)Math.Min(Math.Min(transfer.Length, left), ScsiUnit.BufferSize - _used);
            _ = transfer.Buffer.Read(0, _unit.Buffer.AsSpan((int)_used, n));
            _used += (uint)n;
            if (_used == _transfer.Length)
            {
                _busy = _accepting = true;
                transfer.Start(this, _unit.AcceptAsync(_operation, (int)_used));
                return UsbStatus.Pending;
            }
        }
        transfer.Done = transfer.Length;
        Moved(transfer.Done);
        return UsbStatus.Ok;
    }

    /// <summary>A piece of the data stage has passed, which a short one ends, as everything does that the host expects.</summary>
    private void Moved(uint bytes, uint room = 0)
    {
        _position = (uint)Math.Min((ulong)_position + bytes, _expected);
        if (_position == _expected || bytes < room)
        {
            _after = Stage.Status;
            Turn();
        }
    }

    /// <summary>A command status wrapper (section 5.2).</summary>
    private UsbStatus Status(UsbTransfer transfer)
    {
        Span<byte> wrapper = stackalloc byte[StatusSize];
        BinaryPrimitives.WriteUInt32LittleEndian(wrapper, StatusSignature);
        BinaryPrimitives.WriteUInt32LittleEndian(wrapper[4..], _tag);
        BinaryPrimitives.WriteUInt32LittleEndian(wrapper[8..], _expected - Math.Min(_used, _expected));
        wrapper[12] = _phaseError ? PhaseError : _unit.Sense.Key != 0 ? Failed : Passed;
        _stage = Stage.Command;
        UsbStatus status = transfer.Put(wrapper);
        Host?.Ready(this, Out);
        return status;
    }

    private protected override void Sync()
    {
        base.Sync();
        // A damaged stream must not point beyond the unit's buffer.
        if (_used > _transfer.Length || (_transfer.Kind is TransferKind.In or TransferKind.Out && _transfer.Length > ScsiUnit.BufferSize))
        {
            _transfer = default;
            _used = 0;
        }
        if (_stage is not (Stage.Command or Stage.Confused) && _after is not (Stage.DataIn or Stage.DataOut or Stage.Status))
            _stage = Stage.Status;
    }
}
