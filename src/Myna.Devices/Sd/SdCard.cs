using System.Buffers.Binary;
using Myna.Hardware.Backends;
using Myna.Hardware.State;

namespace Myna.Devices.Sd;

/// <summary>What a command asks of the lines between host and card beyond its response.</summary>
internal enum SdData : byte
{
    None,

    /// <summary>Bytes that the card has ready (<see cref="SdCard.Register"/>).</summary>
    Register,

    /// <summary>Blocks of the card, from <see cref="SdCard.Block"/> on.</summary>
    Read,
    Write,

    /// <summary>The blocks that were named are to be erased; the card is busy until then.</summary>
    Erase,
}

/// <summary>
/// A high-capacity SD memory card (SD Association, Physical Layer Simplified Specification 3.01, chapter 4), the card's side of commands: states,
/// responses and registers. Blocks are its controller's affair. Not locked: its controller is.
/// LIMIT: no locking by password, no write protection of groups, no SPI mode, no 1.8 V.
/// </summary>
[Stateful("sd-card")]
internal sealed partial class SdCard
{
    public const int BlockSize = 512;

    /// <summary>Capacities are multiples of this (CSD version 2.0, C_SIZE).</summary>
    public const ulong CapacityUnit = 512 << 10;

    /// <summary>22 bits of C_SIZE.</summary>
    public const ulong MostCapacity = CapacityUnit << 22;

    private enum State : byte { Idle, Ready, Identification, StandBy, Transfer, SendingData, ReceiveData, Programming, Disconnect }

    // Card status (section 4.10.1).
    private const uint OutOfRange = 1u << 31, AddressError = 1 << 30, BlockLengthError = 1 << 29, EraseSequenceError = 1 << 28, WriteProtectViolation = 1 << 26, IllegalCommand = 1 << 22, GeneralError = 1 << 19,
        ReadyForData = 1 << 8, AppCommand = 1 << 5, ClearedWhenRead = 0xfdf9_8008;

    private const ushort Address = 0x4567;
    private const uint Voltages = 0x00ff_8000, PoweredUp = 1u << 31, HighCapacity = 1 << 30;

    [NotSaved("the user's affair: the machine is made with the same one")] private IBlockBackend _medium;
    [Saved(1)] private State _state;
    [Saved(2)] private uint _status;
    [Saved(3)] private bool _app;
    [Saved(4)] private ushort _rca;
    [Saved(5)] private uint _block;
    [Saved(6)] private uint _count;
    [Saved(7)] private uint _eraseFirst;
    [Saved(8)] private uint _eraseLast;
    [Saved(9)] private byte _eraseSteps;
    [Saved(10)] private byte _busWidth;
    [Saved(11)] private byte _function;
    [Saved(12)] private readonly byte[] _response = new byte[16];
    [Saved(13)] private readonly byte[] _register = new byte[64];
    [Saved(14)] private int _registerLength;

    /// <param name="medium">A multiple of <see cref="CapacityUnit"/>.</param>
    public SdCard(IBlockBackend medium) => _medium = medium;

    public IBlockBackend Medium => _medium;

    /// <summary>The first block of the transfer, and where it goes on.</summary>
    public uint Block { get => _block; set => _block = value; }

    /// <summary>Blocks that CMD23 has announced; 0 for until it is stopped.</summary>
    public uint Count => _count;

    /// <summary>What the card sends after a command that asks for a register.</summary>
    public ReadOnlySpan<byte> Register => _register.AsSpan(0, _registerLength);

    public ulong Blocks => _medium.Length / BlockSize;

    /// <summary>The range that <see cref="SdData.Erase"/> is about, inclusive.</summary>
    public (uint First, uint Last) Erased => (_eraseFirst, _eraseLast);

    /// <summary>The last response: 32 bits of a short one first, or 120 bits, low to high, of a long one.</summary>
    public uint Response(int word) => BinaryPrimitives.ReadUInt32LittleEndian(_response.AsSpan(word * 4));

    public void Exchange(IBlockBackend medium) => _medium = medium;

    /// <summary>Power-on state.</summary>
    public void PowerOn()
    {
        Idle();
        Array.Clear(_response);
        Array.Clear(_register);
        _registerLength = 0;
    }

    /// <summary>The host has moved the last block, or something went wrong.</summary>
    public void EndTransfer(bool failed = false)
    {
        if (failed)
            _status |= GeneralError;
        if (_state is State.SendingData or State.ReceiveData or State.Programming)
            _state = State.Transfer;
        _count = 0;
    }

    /// <summary>A block beyond the card's end.</summary>
    public void LeftRange() => _status |= OutOfRange;

    /// <summary>Carries out a command.</summary>
    /// <param name="answered">Whether the card responds at all.</param>
    public SdData Command(int index, uint argument, out bool answered)
    {
        bool app = _app;
        _app = false;
        // A command for another card is none.
        if (!app && index is (7 or 9 or 10 or 13 or 15 or 55) && argument >> 16 != _rca)
        {
            answered = false;
            if (index == 7 && _state is (State.Transfer or State.SendingData))
                _state = State.StandBy;
            return SdData.None;
        }
        answered = true;
        SdData? data = app ? AppSpecific(index, argument) : null;
        data ??= Basic(index, argument, ref answered);
        if (data is { } known)
            return known;
        _status |= IllegalCommand;
        answered = false;
        return SdData.None;
    }

    /// <returns>Null when there is no such command in this state.</returns>
    private SdData? Basic(int index, uint argument, ref bool answered)
    {
        switch (index)
        {
            case 0:
                Idle();
                answered = false;
                return SdData.None;
            case 2 when _state == State.Ready:
                _state = State.Identification;
                Long(Cid());
                return SdData.None;
            case 3 when _state is State.Identification or State.StandBy:
                uint status = Status();
                (_state, _rca) = (State.StandBy, Address);
                // R6: the address and the status' bits 23, 22, 19 and 12:0.
                Short((uint)_rca << 16 | status >> 8 & 0xc000 | status >> 6 & 0x2000 | status & 0x1fff);
                return SdData.None;
            case 6 when _state == State.Transfer:
                Switch(argument);
                return Send(64);
            case 7 when _state is State.StandBy or State.Transfer:
                Normal();
                _state = State.Transfer;
                return SdData.None;
            case 8 when _state == State.Idle:
                // 2.7 to 3.6 V; the pattern comes back. At another voltage there is no answer.
                answered = (argument >> 8 & 0xf) == 1;
                Short(argument & 0xfff);
                return SdData.None;
            case 9 when _state == State.StandBy:
                Long(Csd());
                return SdData.None;
            case 10 when _state == State.StandBy:
                Long(Cid());
                return SdData.None;
            case 12 when _state is State.SendingData or State.ReceiveData or State.Programming:
                Normal();
                EndTransfer();
                return SdData.None;
            case 13 when _state >= State.StandBy:
                Normal();
                return SdData.None;
            case 15:
                _state = State.Idle;
                answered = false;
                return SdData.None;
            case 16 when _state == State.Transfer:
                // A high-capacity card's blocks have 512 bytes whatever is set.
                if (argument != BlockSize)
                    _status |= BlockLengthError;
                Normal();
                return SdData.None;
            case 17 or 18 when _state == State.Transfer:
                return Begin(argument, index == 17, State.SendingData, SdData.Read);
            case 23 when _state == State.Transfer:
                Normal();
                _count = argument & 0xffff;
                return SdData.None;
            case 24 or 25 when _state == State.Transfer:
                return Begin(argument, index == 24, State.ReceiveData, SdData.Write);
            case 32 or 33 when _state == State.Transfer:
                if (argument >= Blocks)
                    _status |= OutOfRange;
                if (index == 32)
                    (_eraseFirst, _eraseSteps) = (argument, 1);
                else
                    (_eraseLast, _eraseSteps) = (argument, (byte)(_eraseSteps == 1 ? 2 : 0));
                Normal();
                return SdData.None;
            case 38 when _state == State.Transfer:
                bool ready = _eraseSteps == 2 && _eraseFirst <= _eraseLast && _eraseLast < Blocks;
                _eraseSteps = 0;
                if (!ready)
                    _status |= EraseSequenceError;
                else if (_medium.ReadOnly)
                    _status |= WriteProtectViolation;
                Normal();
                if (!ready || _medium.ReadOnly)
                    return SdData.None;
                _state = State.Programming;
                return SdData.Erase;
            case 55:
                _app = true;
                Short(Status() | AppCommand);
                return SdData.None;
            default:
                return null;
        }
    }

    private SdData? AppSpecific(int index, uint argument)
    {
        switch (index)
        {
            case 6 when _state == State.Transfer:
                _busWidth = (byte)(argument & 3);
                Normal();
                return SdData.None;
            case 13 when _state == State.Transfer:
                SdStatus();
                return Send(64);
            case 22 when _state == State.Transfer:
                _register.AsSpan(0, 4).Clear();
                return Send(4);
            case 23 when _state == State.Transfer:
            case 42 when _state == State.Transfer:
                Normal();
                return SdData.None;
            case 41 when _state is State.Idle or State.Ready:
                // R3: powered up as soon as a voltage is chosen; a host that knows no high capacity waits for ever (section 4.2.3).
                bool up = (argument & Voltages) != 0 && (argument & HighCapacity) != 0;
                if (up)
                    _state = State.Ready;
                Short(Voltages | (up ? PoweredUp | HighCapacity : 0));
                return SdData.None;
            case 51 when _state == State.Transfer:
                // Version 3.0x, no security, 1 and 4 bits, CMD23.
                ReadOnlySpan<byte> scr = [0x02, 0x05, 0x80, 0x02, 0, 0, 0, 0];
                scr.CopyTo(_register);
                return Send(8);
            default:
                return null;
        }
    }

    private void Idle()
    {
        _state = State.Idle;
        _status = 0;
        _app = false;
        (_rca, _block, _count, _eraseFirst, _eraseLast, _eraseSteps, _busWidth, _function) = (0, 0, 0, 0, 0, 0, 0, 0);
    }

    private SdData Begin(uint block, bool single, State state, SdData kind)
    {
        if (single)
            _count = 0;
        bool there = block < Blocks, forbidden = kind == SdData.Write && _medium.ReadOnly;
        _status |= (there ? 0 : OutOfRange) | (forbidden ? WriteProtectViolation : 0);
        Normal();
        if (!there || forbidden)
            return SdData.None;
        (_block, _state) = (block, state);
        return kind;
    }

    private SdData Send(int length)
    {
        Normal();
        _state = State.SendingData;
        _registerLength = length;
        return SdData.Register;
    }

    private uint Status() => _status | (uint)_state << 9 | ReadyForData;

    /// <summary>R1: the status; errors are told once.</summary>
    private void Normal()
    {
        Short(Status());
        _status &= ~ClearedWhenRead;
    }

    private void Short(uint response)
    {
        Array.Clear(_response);
        BinaryPrimitives.WriteUInt32LittleEndian(_response, response);
    }

    /// <summary>R2: bits 127:8 of a register whose first byte is the highest.</summary>
    private void Long(ReadOnlySpan<byte> register)
    {
        Array.Clear(_response);
        for (int i = 0; i < 15; i++)
            _response[i] = register[14 - i];
    }

    /// <summary>Manufacturer, application, name, revision, number, month (section 5.2).</summary>
    private static byte[] Cid() => WithCrc([0x4d, (byte)'M', (byte)'Y', (byte)'M', (byte)'Y', (byte)'N', (byte)'A', (byte)'0', 0x10, 0, 0, 0, 1, 0x01, 0xa1, 0]);

    /// <summary>Card-specific data, version 2.0 (section 5.3.3).</summary>
    private byte[] Csd()
    {
        uint size = (uint)(_medium.Length / CapacityUnit) - 1;
        return WithCrc([0x40, 0x0e, 0x00, 0x32, 0x5b, 0x59, 0x00, (byte)(size >> 16 & 0x3f), (byte)(size >> 8), (byte)size, 0x7f, 0x80, 0x0a, 0x40, (byte)(_medium.ReadOnly ? 0x10 : 0), 0]);
    }

    private static byte[] WithCrc(byte[] register)
    {
        int crc = 0;
        for (int i = 0; i < 15 * 8; i++)
        {
            int bit = register[i >> 3] >> (7 - (i & 7)) & 1;
            crc = ((crc << 1) ^ ((crc >> 6 & 1) != bit ? 0x09 : 0)) & 0x7f;
        }
        register[15] = (byte)(crc << 1 | 1);
        return register;
    }

    /// <summary>CMD6 (section 4.3.10): of six groups of functions, the first one has default and high speed.</summary>
    private void Switch(uint argument)
    {
        const int Same = 0xf, HighSpeed = 1;
        _register.AsSpan().Clear();
        _register[1] = 100; // mA
        for (int group = 1; group <= 6; group++)
        {
            int wanted = (int)(argument >> (group - 1) * 4 & 0xf), most = group == 1 ? HighSpeed : 0, now = group == 1 ? _function : 0;
            BinaryPrimitives.WriteUInt16BigEndian(_register.AsSpan(14 - 2 * group), (ushort)(group == 1 ? 0x8003 : 0x8001));
            int result = wanted == Same ? now : wanted <= most ? wanted : 0xf;
            _register[16 - (group - 1) / 2] |= (byte)(result << ((group - 1) & 1) * 4);
            if (group == 1 && argument >> 31 != 0 && result != 0xf)
                _function = (byte)result;
        }
    }

    /// <summary>Section 4.10.2: the bus width, class 4, allocation units of 4 MiB.</summary>
    private void SdStatus()
    {
        _register.AsSpan().Clear();
        (_register[0], _register[8], _register[10]) = ((byte)(_busWidth << 6), 2, 0x90);
    }

    private void Sync()
    {
        if (_state > State.Disconnect)
            _state = State.Idle;
        _registerLength = Math.Clamp(_registerLength, 0, _register.Length);
    }
}
