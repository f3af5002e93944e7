using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Myna.Hardware.Backends;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Security;

/// <summary>
/// The FIFO interface of a TPM 2.0 (TCG PC Client Platform TPM Profile 1.05, section 6.5), five localities of 4 KiB, in front of a TPM
/// elsewhere. LIMIT: no interrupts, no dynamic root of trust (locality 4's hash registers), and what the TPM itself holds is not saved.
/// </summary>
[Stateful("tpm-tis")]
public sealed partial class TpmTis : IMmio, IDrainable
{
    /// <summary>Where PCs have it, and its bytes.</summary>
    public const ulong Address = 0xfed4_0000, Size = Localities * LocalitySize;

    /// <summary>Bytes of a command or response at most.</summary>
    public const int BufferSize = 4096;

    private const int Localities = 5, LocalitySize = 0x1000, Header = 10, None = 0xff;

    private const int ACCESS = 0x00, INT_ENABLE = 0x08, INTF_CAPABILITY = 0x14, STS = 0x18, DATA_FIFO = 0x24, INTERFACE_ID = 0x30, XDATA_FIFO = 0x80, DID_VID = 0xf00, RID = 0xf04;

    // TPM_ACCESS.
    private const byte RegValid = 0x80, ActiveLocality = 0x20, BeenSeized = 0x10, Seize = 8, PendingRequest = 4, RequestUse = 2, NotEstablished = 1;

    // TPM_STS; the burst count lies in bits 23:8, the family (2.0) in 27:26.
    private const uint StsValid = 0x80, CommandReady = 0x40, Go = 0x20, DataAvailable = 0x10, Expect = 8, SelfTestDone = 4, ResponseRetry = 2, Family2 = 1 << 26, Cancel = 1 << 24;
    private const int BurstShift = 8, Burst = 64;

    // Interface version 1.3 for TPM 2.0, 64-byte transfers, static burst count; low level interrupts, though there are none.
    private const uint Capability = 3u << 28 | 3 << 9 | 1 << 8 | 1 << 4 | 1 << 2;

    // A FIFO, five localities.
    private const uint InterfaceId = 1 << 8 | 1 << 13;
    private const uint Identity = 0x0001_1014;

    private enum Phase : byte { Idle, Ready, Reception, Execution, Completion }

    private readonly Lock _lock = new();
    private readonly object _idle = new();
    private readonly ITpmBackend _tpm;
    private readonly LogChannel _log;
    private readonly Action _completed;

    [NotSaved("drained before saving")] private ConfiguredValueTaskAwaitable<int>.ConfiguredValueTaskAwaiter _work;
    [NotSaved("drained before saving")] private bool _busy;
    [NotSaved("the response is for nobody any more")] private bool _abandoned;

    [Saved(1)] private Phase _phase;
    [Saved(2)] private byte _active = None;
    [Saved(3)] private byte _requests;
    [Saved(4)] private byte _seized;
    [Saved(5)] private readonly byte[] _buffer = new byte[BufferSize];
    [Saved(6)] private int _length;
    [Saved(7)] private int _position;
    [Saved(8)] private uint _interruptEnable;

    [NotSaved("of the command under way")] private readonly byte[] _response = new byte[BufferSize];

    public TpmTis(ITpmBackend tpm, LogChannel? log = null)
    {
        _tpm = tpm;
        _log = log ?? LogChannel.None;
        _completed = Completed;
    }

    /// <inheritdoc/>
    public bool Read(ulong offset, int size, out ulong value)
    {
        int locality = (int)(offset / LocalitySize), register = (int)(offset % LocalitySize);
        value = 0;
        lock (_lock)
        {
            if (IsFifo(register))
            {
                for (int i = 0; i < size; i++)
                    value |= (ulong)Pop(locality) << (8 * i);
                return true;
            }
            for (int i = 0; i < size; i++)
                value |= (ulong)(byte)(Register(locality, (register + i) & ~3) >> ((register + i) & 3) * 8) << (8 * i);
        }
        return true;
    }

    /// <inheritdoc/>
    public bool Write(ulong offset, int size, ulong value)
    {
        int locality = (int)(offset / LocalitySize), register = (int)(offset % LocalitySize);
        lock (_lock)
        {
            if (register == ACCESS)
                WriteAccess(locality, (byte)value);
            else if (locality == _active)
            {
                if (IsFifo(register))
                {
                    for (int i = 0; i < size; i++)
                        Push((byte)(value >> 8 * i));
                }
                else if (register == STS)
                    WriteStatus((uint)value);
                else if (register == INT_ENABLE && size == 4)
                    _interruptEnable = (uint)value & 0x8000_009f;
            }
        }
        return true;
    }

    /// <summary>Power-on state, for the TPM too.</summary>
    public void Reset()
    {
        Drain();
        lock (_lock)
        {
            _phase = Phase.Idle;
            (_active, _requests, _seized, _length, _position, _interruptEnable) = (None, 0, 0, 0, 0, 0);
            Array.Clear(_buffer);
        }
        _tpm.PowerOn();
    }

    /// <inheritdoc/>
    public void Drain()
    {
        lock (_idle)
        {
            while (Volatile.Read(ref _busy))
                Monitor.Wait(_idle);
        }
    }

    private static bool IsFifo(int register) => register is (>= DATA_FIFO and < DATA_FIFO + 4) or (>= XDATA_FIFO and < XDATA_FIFO + 4);

    private uint Register(int locality, int register) => register switch
    {
        ACCESS => (uint)(RegValid | NotEstablished | (_active == locality ? ActiveLocality : 0) | ((_seized >> locality & 1) != 0 ? BeenSeized : 0)
            | ((_requests & ~(1 << locality)) != 0 ? PendingRequest : 0) | ((_requests >> locality & 1) != 0 ? RequestUse : 0)),
        INT_ENABLE => _interruptEnable,
        INTF_CAPABILITY => Capability,
        STS => Status(locality),
        INTERFACE_ID => InterfaceId,
        DID_VID => Identity,
        RID => 1,
        _ => 0,
    };

    private uint Status(int locality)
    {
        if (locality != _active)
            return uint.MaxValue;
        uint burst = (uint)Math.Min(Burst, _phase == Phase.Completion ? _length - _position : BufferSize - _length);
        return Family2 | SelfTestDone | StsValid | _phase switch
        {
            Phase.Ready => CommandReady | burst << BurstShift,
            Phase.Reception => burst << BurstShift | (IsComplete ? 0 : Expect),
            Phase.Completion when _position < _length => DataAvailable | burst << BurstShift,
            _ => 0,
        };
    }

    /// <summary>The command says how long it is, and is all here.</summary>
    private bool IsComplete => _length >= Header && _length >= BinaryPrimitives.ReadUInt32BigEndian(_buffer.AsSpan(2));

    private byte Pop(int locality)
    {
        if (locality != _active || _phase != Phase.Completion || _position >= _length)
            return 0xff;
        return _buffer[_position++];
    }

    private void Push(byte value)
    {
        if (_phase == Phase.Ready)
        {
            _phase = Phase.Reception;
            _length = 0;
        }
        if (_phase == Phase.Reception && !IsComplete && _length < BufferSize)
            _buffer[_length++] = value;
    }

    private void WriteAccess(int locality, byte value)
    {
        _seized &= (byte)((value & BeenSeized) != 0 ? ~(1 << locality) : 0xff);
        if ((value & ActiveLocality) != 0)
        {
            // It gives the TPM up, or its request.
            _requests &= (byte)~(1 << locality);
            if (_active == locality)
                Grant(_requests == 0 ? None : System.Numerics.BitOperations.Log2(_requests));
        }
        if ((value & Seize) != 0 && _active != None && locality > _active)
        {
            _seized |= (byte)(1 << _active);
            Grant(locality);
        }
        if ((value & RequestUse) != 0 && _active != locality)
        {
            if (_active == None)
                Grant(locality);
            else
                _requests |= (byte)(1 << locality);
        }
    }

    private void Grant(int locality)
    {
        _active = (byte)locality;
        if (locality != None)
            _requests &= (byte)~(1 << locality);
        Abort();
    }

    private void Abort()
    {
        _abandoned |= _busy;
        _phase = Phase.Idle;
        _length = _position = 0;
    }

    private void WriteStatus(uint value)
    {
        if ((value & Cancel) != 0 && _phase == Phase.Execution)
            _tpm.Cancel();
        if ((value & CommandReady) != 0)
        {
            // A command under way is cancelled first (table 20): the TPM is ready when it has ended.
            if (_phase == Phase.Execution || _busy)
            {
                _tpm.Cancel();
                _abandoned = _busy;
            }
            Abort();
            _phase = _busy ? Phase.Idle : Phase.Ready;
        }
        else if ((value & Go) != 0 && _phase == Phase.Reception && IsComplete && !_busy)
            Execute();
        else if ((value & ResponseRetry) != 0 && _phase == Phase.Completion)
            _position = 0;
    }

    private void Execute()
    {
        _phase = Phase.Execution;
        Volatile.Write(ref _busy, true);
        _abandoned = false;
        byte[] command = _buffer.AsSpan(0, _length).ToArray();
        _work = _tpm.ExecuteAsync(command, _response, _active).ConfigureAwait(false).GetAwaiter();
        if (_work.IsCompleted)
            Completed();
        else
            _work.UnsafeOnCompleted(_completed);
    }

    private void Completed()
    {
        lock (_lock)
        {
            int length = Math.Clamp(_work.GetResult(), 0, BufferSize);
            _work = default;
            if (length < Header)
            {
                _log.Warn("the TPM does not answer");
                // TPM_RC_FAILURE.
                ReadOnlySpan<byte> failure = [0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x01, 0x01];
                failure.CopyTo(_response);
                length = failure.Length;
            }
            if (_abandoned)
                _abandoned = false;
            else
            {
                _response.AsSpan(0, length).CopyTo(_buffer);
                (_length, _position, _phase) = (length, 0, Phase.Completion);
            }
        }
        lock (_idle)
        {
            Volatile.Write(ref _busy, false);
            Monitor.PulseAll(_idle);
        }
    }

    private void Sync()
    {
        if (_length is < 0 or > BufferSize || _position < 0 || _position > _length || _phase > Phase.Completion || (_active >= Localities && _active != None))
            (_phase, _active, _length, _position) = (Phase.Idle, None, 0, 0);
        // Nothing is under way when state is saved.
        if (_phase == Phase.Execution)
            _phase = Phase.Idle;
        _requests &= (1 << Localities) - 1;
    }
}
