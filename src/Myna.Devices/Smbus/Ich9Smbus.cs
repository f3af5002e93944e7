using Myna.Devices.Pci;
using Myna.Hardware.State;

namespace Myna.Devices.Smbus;

/// <summary>
/// SMBus host controller of an ICH9 (Intel ICH9 datasheet, chapter 18), the function 00:1f.3. Transactions are done at once; where no
/// device has the address, they end with DEV_ERR. LIMIT: no slave interface, no packet error codes, no SMBALERT#.
/// </summary>
[Stateful("ich9-smbus")]
public sealed partial class Ich9Smbus : PciDevice
{
    /// <summary>Its place on bus 0.</summary>
    public const int Slot = 31, Function = 3;

    private const int RegisterBar = 4, HOSTC = 0x40, BlockSize = 32;
    private const uint HST_EN = 1, SSRESET = 8;

    private const int HST_STS = 0x00, HST_CNT = 0x02, HST_CMD = 0x03, XMIT_SLVA = 0x04, HST_D0 = 0x05, HST_D1 = 0x06, HOST_BLOCK_DB = 0x07, PEC = 0x08, RCV_SLVA = 0x09, AUX_CTL = 0x0d, SMLINK_PIN_CTL = 0x0e, SMBUS_PIN_CTL = 0x0f;

    // HST_STS.
    private const byte HOST_BUSY = 1, INTR = 2, DEV_ERR = 4, FAILED = 0x10, INUSE_STS = 0x40, DS = 0x80, Clearable = 0xde;

    // HST_CNT; AUX_CTL.
    private const byte INTREN = 1, KILL = 2, LAST_BYTE = 0x20, START = 0x40, E32B = 2;

    private enum Protocol { Quick, Byte, ByteData, WordData, ProcessCall, Block, I2cRead, BlockProcess }

    private readonly Lock _lock = new();

    [NotSaved("wired before the machine runs")] private readonly Dictionary<int, ISmbusDevice> _devices = [];

    [Saved(20)] private byte _status;
    [Saved(21)] private byte _control;
    [Saved(22)] private byte _command;
    [Saved(23)] private byte _address;
    [Saved(24)] private byte _data0;
    [Saved(25)] private byte _data1;
    [Saved(26)] private readonly byte[] _block = new byte[BlockSize];
    [Saved(27)] private byte _index;
    [Saved(28)] private byte _auxiliary;
    [Saved(29)] private byte _pec;
    [Saved(30)] private byte _slave = 0x44;

    // Bytes of a block that software moves one by one: how many are left; 0 for none under way.
    [Saved(31)] private byte _left;

    public Ich9Smbus()
        : base("ich9-smbus", new PciIdentity(0x8086, 0x2930, 0x0c0500, RevisionId: 2, SubsystemVendorId: 0x1af4, SubsystemId: 0x1100))
    {
        AddIoBar(RegisterBar, 32);
        AddIntx(2);
        Config.Define(HOSTC, 1, 0, 7);
    }

    /// <summary>Puts a device on the bus. Before the machine runs.</summary>
    /// <param name="address">Seven bits.</param>
    internal void Add(int address, ISmbusDevice device) => _devices.Add(address, device);

    private Protocol Kind => (Protocol)(_control >> 2 & 7);
    private bool Reads => (_address & 1) != 0;
    private bool ByBytes => (_auxiliary & E32B) == 0;

    /// <inheritdoc/>
    public override bool ReadBar(int bar, ulong offset, int size, out ulong value)
    {
        value = 0;
        lock (_lock)
        {
            for (int i = 0; i < size; i++)
                value |= (ulong)Read((int)offset + i) << i * 8;
        }
        return true;
    }

    /// <inheritdoc/>
    public override bool WriteBar(int bar, ulong offset, int size, ulong value)
    {
        lock (_lock)
        {
            for (int i = 0; i < size; i++)
                Write((int)offset + i, (byte)(value >> i * 8));
            Update();
        }
        return true;
    }

    /// <inheritdoc/>
    public override void Reset()
    {
        lock (_lock)
        {
            (_status, _control, _command, _address, _data0, _data1, _index, _auxiliary, _pec, _slave, _left) = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0x44, 0);
            Array.Clear(_block);
        }
        base.Reset();
    }

    /// <inheritdoc/>
    protected override void Sync()
    {
        base.Sync();
        lock (_lock)
        {
            _index %= BlockSize;
            _left = Math.Min(_left, (byte)BlockSize);
            Update();
        }
    }

    private byte Read(int offset)
    {
        switch (offset)
        {
            case HST_STS:
                byte status = _status;
                // A semaphore for software: who reads it as zero has it (section 18.2.1).
                _status |= INUSE_STS;
                return status;
            case HST_CNT:
                // Reading it starts the block buffer from its beginning (section 18.2.7).
                _index = 0;
                return (byte)(_control & ~START);
            case HOST_BLOCK_DB:
                return ByBytes ? _block[0] : _block[_index++ % BlockSize];
            default:
                return offset switch
                {
                    HST_CMD => _command,
                    XMIT_SLVA => _address,
                    HST_D0 => _data0,
                    HST_D1 => _data1,
                    PEC => _pec,
                    RCV_SLVA => _slave,
                    AUX_CTL => _auxiliary,
                    // Clock and data are high.
                    SMLINK_PIN_CTL or SMBUS_PIN_CTL => 0x07,
                    _ => 0,
                };
        }
    }

    private void Write(int offset, byte value)
    {
        switch (offset)
        {
            case HST_STS:
                bool next = (_status & value & DS) != 0;
                _status &= (byte)~(value & Clearable);
                if (next && _left != 0)
                    NextByte();
                break;
            case HST_CNT:
                WriteControl(value);
                break;
            case HST_CMD:
                _command = value;
                break;
            case XMIT_SLVA:
                _address = value;
                break;
            case HST_D0:
                _data0 = value;
                break;
            case HST_D1:
                _data1 = value;
                break;
            case HOST_BLOCK_DB when ByBytes:
                _block[0] = value;
                break;
            case HOST_BLOCK_DB:
                _block[_index++ % BlockSize] = value;
                break;
            case PEC:
                _pec = value;
                break;
            case RCV_SLVA:
                _slave = (byte)(value & 0x7f);
                break;
            case AUX_CTL:
                _auxiliary = (byte)(value & 3);
                break;
        }
    }

    private void WriteControl(byte value)
    {
        _control = (byte)(value & ~START);
        if ((value & KILL) != 0)
        {
            _left = 0;
            _status = (byte)(_status & ~HOST_BUSY | FAILED);
            return;
        }
        if ((value & START) == 0 || (Config.Get(HOSTC, 1) & HST_EN) == 0 || (_status & HOST_BUSY) != 0)
            return;
        _index = 0;
        if (!_devices.TryGetValue(_address >> 1, out ISmbusDevice? device) || !Transact(device))
        {
            _left = 0;
            _status = (byte)(_status & ~HOST_BUSY | DEV_ERR);
        }
        else if (_left == 0)
            _status |= INTR;
    }

    /// <returns>Whether everything was acknowledged.</returns>
    private bool Transact(ISmbusDevice device)
    {
        Protocol kind = Kind;
        if (kind == Protocol.Quick || (kind == Protocol.Byte && Reads))
        {
            device.Start(Reads);
            if (kind == Protocol.Byte)
                _data0 = device.Read();
            return true;
        }
        device.Start(read: false);
        if (!device.Write(_command))
            return false;
        switch (kind)
        {
            case Protocol.ByteData or Protocol.WordData when Reads:
                device.Start(read: true);
                _data0 = device.Read();
                if (kind == Protocol.WordData)
                    _data1 = device.Read();
                return true;
            case Protocol.ByteData:
                return device.Write(_data0);
            case Protocol.WordData or Protocol.ProcessCall:
                if (!device.Write(_data0) || !device.Write(_data1))
                    return false;
                if (kind == Protocol.ProcessCall)
                {
                    device.Start(read: true);
                    (_data0, _data1) = (device.Read(), device.Read());
                }
                return true;
            case Protocol.I2cRead:
                // DATA1 is a second byte of the address (section 5.20.1.1); bytes come until the last one is announced.
                if (!device.Write(_data1))
                    return false;
                device.Start(read: true);
                _left = BlockSize;
                _status |= HOST_BUSY;
                ReadByte(device);
                return true;
            case Protocol.Block when Reads:
                device.Start(read: true);
                return ReadBlock(device);
            case Protocol.Block or Protocol.BlockProcess:
                return WriteBlock(device, kind == Protocol.BlockProcess);
            default:
                return true;
        }
    }

    private bool WriteBlock(ISmbusDevice device, bool answered)
    {
        if (_data0 is 0 or > BlockSize || !device.Write(_data0))
            return false;
        if (ByBytes && !answered)
        {
            _left = _data0;
            _status |= HOST_BUSY;
            return WriteByte(device);
        }
        for (int i = 0; i < _data0; i++)
        {
            if (!device.Write(_block[i]))
                return false;
        }
        if (!answered)
            return true;
        device.Start(read: true);
        return ReadBlock(device);
    }

    private bool ReadBlock(ISmbusDevice device)
    {
        _data0 = device.Read();
        if (_data0 is 0 or > BlockSize)
            return false;
        if (ByBytes)
        {
            _left = _data0;
            _status |= HOST_BUSY;
            ReadByte(device);
            return true;
        }
        for (int i = 0; i < _data0; i++)
            _block[i] = device.Read();
        return true;
    }

    private void ReadByte(ISmbusDevice device)
    {
        _block[0] = device.Read();
        _status |= DS;
    }

    private bool WriteByte(ISmbusDevice device)
    {
        if (!device.Write(_block[0]))
            return false;
        _status |= DS;
        return true;
    }

    /// <summary>Software has cleared DS: the next byte of a block, or its end.</summary>
    private void NextByte()
    {
        bool last = Kind == Protocol.I2cRead && (_control & LAST_BYTE) != 0;
        _left = last ? (byte)0 : Kind == Protocol.I2cRead ? _left : (byte)(_left - 1);
        bool done = true;
        if (_left != 0 && _devices.TryGetValue(_address >> 1, out ISmbusDevice? device))
        {
            if (Kind == Protocol.I2cRead || Reads)
                ReadByte(device);
            else
                done = WriteByte(device);
            if (done)
                return;
        }
        _left = 0;
        _status = (byte)(_status & ~HOST_BUSY | (done ? INTR : DEV_ERR));
    }

    private void Update() => SetIntx((_control & INTREN) != 0 && (_status & (INTR | DEV_ERR | FAILED | DS)) != 0);
}
