using System.Buffers.Binary;
using Myna.Devices.Storage;
using Myna.Hardware.Backends;
using Myna.Hardware.State;

namespace Myna.Devices.Sd;

// Data between card and host: blocks go through a buffer, some at a time by DMA, one at a time by programmed transfers.
public sealed partial class Sdhci
{
    private const int BufferBlocks = 32, BufferSize = BufferBlocks * SdCard.BlockSize;

    private enum Phase : byte
    {
        None,

        /// <summary>The buffer is to be filled from the card, or written to it.</summary>
        Card,

        /// <summary>The host takes or gives what is in the buffer.</summary>
        Host,
    }

    private enum AdmaStop : byte { None, Error, End }

    private readonly BackendWork _bufferWork;
    [NotSaved("made for each use")] private readonly Memory<byte>[] _into = new Memory<byte>[1];
    [NotSaved("made for each use")] private readonly ReadOnlyMemory<byte>[] _from = new ReadOnlyMemory<byte>[1];

    // At the back end: drained before saving.
    [NotSaved("drained before saving")] private bool _busy;
    [NotSaved("drained before saving")] private bool _aborted;
    [NotSaved("drained before saving")] private bool _erasing;
    [NotSaved("drained before saving")] private bool _stopped;
    [NotSaved("drained before saving")] private uint _resetting;
    [NotSaved("within one call")] private bool _moving;

    [Saved(50)] private readonly byte[] _buffer = new byte[BufferSize];
    [Saved(51)] private Phase _phase;
    [Saved(52)] private SdData _kind;
    [Saved(53)] private int _length;
    [Saved(54)] private int _position;

    // Blocks that have not been in the buffer yet; it counts for transfers with a block count.
    [Saved(55)] private uint _left;
    [Saved(56)] private bool _endless;

    // The size of a block between host and controller, and SDMA that waits at a boundary.
    [Saved(57)] private int _blockSize;
    [Saved(58)] private bool _waits;

    // ADMA2: what is left of the descriptor under way, and whether it was the last one.
    [Saved(59)] private ulong _segment;
    [Saved(60)] private uint _segmentLeft;
    [Saved(61)] private bool _lastSegment;
    [Saved(62)] private bool _segmentInterrupts;

    private bool IsDma => (_command & SdhciRegister.DmaEnable) != 0;
    private bool IsAdma => IsDma && (_control & SdhciRegister.DmaSelect) is SdhciRegister.Adma32 or SdhciRegister.Adma64;
    private bool Reads => _kind is SdData.Read or SdData.Register;

    private void ClearTransfer()
    {
        Array.Clear(_buffer);
        (_phase, _kind, _length, _position, _left, _endless, _blockSize, _waits) = (Phase.None, SdData.None, 0, 0, 0, false, 0, false);
        (_segment, _segmentLeft, _lastSegment, _segmentInterrupts) = (0, 0, false, false);
    }

    private void CheckTransfer()
    {
        _length = Math.Clamp(_length, 0, BufferSize);
        _position = Math.Clamp(_position, 0, _length);
        _blockSize = Math.Clamp(_blockSize, 0, SdCard.BlockSize);
        if (_phase > Phase.Host || _kind > SdData.Erase || (_phase != Phase.None && (_blockSize == 0 || _kind is SdData.None or SdData.Erase)))
            Abort();
    }

    /// <summary>Ends a transfer without a word.</summary>
    private void Abort()
    {
        _aborted |= _busy;
        if (_phase != Phase.None)
            _card.EndTransfer();
        _phase = Phase.None;
        _waits = false;
        _present &= ~(SdhciRegister.DataInhibit | SdhciRegister.DataActive | SdhciRegister.ReadActive | SdhciRegister.WriteActive | SdhciRegister.BufferReadEnable | SdhciRegister.BufferWriteEnable);
    }

    /// <summary>A command with data has been answered.</summary>
    private void BeginData(SdData kind)
    {
        bool read = (_command & SdhciRegister.ReadDirection) != 0;
        int size = (int)(_blocks & 0xfff);
        if (kind == SdData.None || size is 0 or > SdCard.BlockSize || read != (kind != SdData.Write) || (kind != SdData.Register && size != SdCard.BlockSize))
        {
            // The card sends nothing, or not what the host expects.
            if (kind != SdData.None)
                _card.EndTransfer();
            Raise(kind == SdData.None ? SdhciRegister.DataTimeout : SdhciRegister.DataCrc);
            return;
        }
        bool multiple = (_command & SdhciRegister.MultipleBlocks) != 0;
        (_kind, _blockSize, _length, _position, _waits) = (kind, size, 0, 0, false);
        _endless = multiple && (_command & SdhciRegister.BlockCountEnable) == 0 && kind != SdData.Register;
        _left = !multiple || kind == SdData.Register ? 1 : _blocks >> 16;
        (_segmentLeft, _lastSegment, _segmentInterrupts) = (0, false, false);
        _present |= SdhciRegister.DataInhibit | SdhciRegister.DataActive | (read ? SdhciRegister.ReadActive : SdhciRegister.WriteActive);
        if (_left == 0 && !_endless)
        {
            Finish();
            return;
        }
        if (kind == SdData.Register)
        {
            _buffer.AsSpan(0, size).Clear();
            _card.Register[..Math.Min(size, _card.Register.Length)].CopyTo(_buffer);
            (_length, _left, _phase) = (size, 0, Phase.Host);
            OfferBuffer();
        }
        else if (read)
            _phase = Phase.Card;
        else
            ExpectBlocks();
        Move();
    }

    /// <summary>So many blocks may be in the buffer at once.</summary>
    private int Batch => !IsDma ? 1 : _endless ? BufferBlocks : (int)Math.Min(_left, BufferBlocks);

    private void ExpectBlocks()
    {
        (_length, _position, _phase) = (Batch * SdCard.BlockSize, 0, Phase.Host);
        OfferBuffer();
    }

    private void OfferBuffer()
    {
        if (IsDma)
            return;
        _present |= Reads ? SdhciRegister.BufferReadEnable : SdhciRegister.BufferWriteEnable;
        Raise(Reads ? SdhciRegister.BufferReadReady : SdhciRegister.BufferWriteReady);
    }

    /// <summary>Does what can be done now.</summary>
    private void Move()
    {
        if (_moving)
            return;
        _moving = true;
        while (_phase != Phase.None && !_busy && !_waits)
        {
            if (_phase == Phase.Card)
                Transfer();
            else if (!IsDma || !BusMaster || !MoveDma())
                break;
        }
        _moving = false;
    }

    /// <summary>Moves the buffer's bytes by DMA.</summary>
    /// <returns>False when nothing goes on for now.</returns>
    private bool MoveDma()
    {
        if (IsAdma)
        {
            if (MoveAdma() == AdmaStop.Error)
            {
                _card.EndTransfer();
                _phase = Phase.None;
                Abort();
                Raise(SdhciRegister.AdmaErrorBit);
                return false;
            }
        }
        else
        {
            // Up to the boundary that the block size register sets (section 2.2.1).
            uint boundary = 4096u << (int)(_blocks >> 12 & 7), next = boundary - (_systemAddress & boundary - 1);
            int n = (int)Math.Min(next, (uint)(_length - _position));
            Copy(_systemAddress, n);
            _systemAddress += (uint)n;
            if ((uint)n == next && (_position < _length || _left != 0 || _endless))
            {
                _waits = true;
                Raise(SdhciRegister.DmaInterrupt);
            }
        }
        if (_position == _length)
            BufferDone();
        return true;
    }

    private void Resume()
    {
        if (!_waits)
            return;
        _waits = false;
        Move();
    }

    private void Copy(ulong address, int count)
    {
        // What is not memory reads as zeroes and takes nothing, as on a bus where nobody answers.
        Span<byte> part = _buffer.AsSpan(_position, count);
        if (Reads)
            _ = _memory.Write(address, part);
        else if (!_memory.Read(address, part))
            part.Clear();
        _position += count;
    }

    private AdmaStop MoveAdma()
    {
        bool wide = (_control & SdhciRegister.DmaSelect) == SdhciRegister.Adma64;
        Span<byte> descriptor = stackalloc byte[12];
        for (int links = 0; _position < _length;)
        {
            if (_segmentLeft != 0)
            {
                int n = (int)Math.Min(_segmentLeft, (uint)(_length - _position));
                Copy(_segment, n);
                _segment += (uint)n;
                _segmentLeft -= (uint)n;
                if (_segmentLeft == 0 && _segmentInterrupts)
                    Raise(SdhciRegister.DmaInterrupt);
                links = 0;
                continue;
            }
            int size = wide ? 12 : 8;
            if (_lastSegment || ++links > 4096 || !_memory.Read(_admaAddress, descriptor[..size]) || (descriptor[0] & SdhciRegister.Valid) == 0)
            {
                // State: fetching the descriptor; or the table was too short.
                _admaError = _lastSegment ? 0b111u : 0b001u;
                return AdmaStop.Error;
            }
            ulong address = BinaryPrimitives.ReadUInt32LittleEndian(descriptor[4..]) | (wide ? (ulong)BinaryPrimitives.ReadUInt32LittleEndian(descriptor[8..]) << 32 : 0);
            int action = descriptor[0] & SdhciRegister.Action;
            _admaAddress = action == SdhciRegister.Link ? address : _admaAddress + (uint)size;
            if (action == SdhciRegister.Transfer)
            {
                uint length = BinaryPrimitives.ReadUInt16LittleEndian(descriptor[2..]);
                (_segment, _segmentLeft) = (address, length == 0 ? 0x1_0000 : length);
                _segmentInterrupts = (descriptor[0] & SdhciRegister.Interrupt) != 0;
            }
            _lastSegment = (descriptor[0] & SdhciRegister.End) != 0 && action != SdhciRegister.Link;
        }
        return AdmaStop.End;
    }

    /// <summary>The host has taken or given all of the buffer.</summary>
    private void BufferDone()
    {
        _present &= ~(SdhciRegister.BufferReadEnable | SdhciRegister.BufferWriteEnable);
        if (Reads && _left == 0 && !_endless)
            Finish();
        else
            _phase = Phase.Card;
    }

    /// <summary>Moves blocks between the buffer and the card.</summary>
    private void Transfer()
    {
        int count = Reads ? Batch : _length / SdCard.BlockSize;
        if (_card.Block >= _card.Blocks)
        {
            _card.LeftRange();
            Fail();
            return;
        }
        ulong rest = _card.Blocks - _card.Block;
        if ((ulong)count > rest)
            count = (int)rest;
        _length = count * SdCard.BlockSize;
        ulong offset = (ulong)_card.Block * SdCard.BlockSize;
        _card.Block += (uint)count;
        if (!_endless)
            _left -= Math.Min(_left, (uint)count);
        Busy();
        if (Reads)
        {
            _into[0] = _buffer.AsMemory(0, _length);
            _bufferWork.Begin(_card.Medium.ReadAsync(offset, _into));
        }
        else
        {
            _from[0] = _buffer.AsMemory(0, _length);
            _bufferWork.Begin(_card.Medium.WriteAsync(offset, _from));
        }
    }

    private void Erase()
    {
        (uint first, uint last) = _card.Erased;
        _present |= SdhciRegister.DataInhibit | SdhciRegister.DataActive;
        _erasing = true;
        Busy();
        _bufferWork.Begin(_card.Medium.WriteZeroesAsync((ulong)first * SdCard.BlockSize, ((ulong)last - first + 1) * SdCard.BlockSize, unmap: true));
    }

    private void Busy()
    {
        _busy = true;
        _stopped = false;
        _resetting = 0;
        _aborted = false;
        _work.Begin();
    }

    /// <summary>The back end is done. Any thread, perhaps within <see cref="Move"/>.</summary>
    private void Ended(BlockStatus status)
    {
        lock (_lock)
        {
            bool erased = _erasing;
            _busy = _erasing = false;
            if (_aborted)
            {
                _aborted = false;
                if (_stopped)
                {
                    _stopped = false;
                    _present &= ~(SdhciRegister.DataInhibit | SdhciRegister.DataActive);
                    Raise(SdhciRegister.TransferComplete);
                }
            }
            else if (status != BlockStatus.Ok)
            {
                _log.Warn($"the SD card's medium failed: {status}");
                Fail();
            }
            else if (erased)
            {
                _card.EndTransfer();
                _phase = Phase.None;
                _present &= ~(SdhciRegister.DataInhibit | SdhciRegister.DataActive);
                if ((_command & SdhciRegister.ResponseType) == SdhciRegister.BusyResponse)
                    Raise(SdhciRegister.TransferComplete);
            }
            else if (Reads)
            {
                (_position, _phase) = (0, Phase.Host);
                OfferBuffer();
            }
            else if (_left == 0 && !_endless)
                Finish();
            else
                ExpectBlocks();
            Move();
        }
        _work.End();
    }

    private void Fail()
    {
        _card.EndTransfer(failed: true);
        _phase = Phase.None;
        Abort();
        Raise(Reads ? SdhciRegister.DataCrc : SdhciRegister.DataTimeout);
    }

    private void Finish()
    {
        bool multiple = (_command & SdhciRegister.MultipleBlocks) != 0;
        if (multiple && (_command & SdhciRegister.AutoCommands) == SdhciRegister.AutoCmd12 && _kind != SdData.Register)
        {
            _ = _card.Command(12, 0, out _);
            _response[3] = _card.Response(0);
        }
        else if (!multiple || _kind == SdData.Register || _card.Count != 0)
            _card.EndTransfer();
        // Without that, the card goes on until CMD12.
        _phase = Phase.None;
        Abort();
        Raise(SdhciRegister.TransferComplete);
    }

    private uint ReadData(int size)
    {
        uint value = 0;
        if (_phase != Phase.Host || IsDma || !Reads)
            return value;
        for (int i = 0; i < size && _position < _length; i++)
            value |= (uint)_buffer[_position++] << 8 * i;
        AfterPort();
        return value;
    }

    private void WriteData(uint value, int size)
    {
        if (_phase != Phase.Host || IsDma || Reads)
            return;
        for (int i = 0; i < size && _position < _length; i++)
            _buffer[_position++] = (byte)(value >> 8 * i);
        AfterPort();
    }

    private void AfterPort()
    {
        if (_position < _length)
            return;
        BufferDone();
        Move();
        Update();
    }
}
