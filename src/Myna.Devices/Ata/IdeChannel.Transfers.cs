using System.Buffers.Binary;
using Myna.Devices.Storage;
using Myna.Hardware.Backends;

namespace Myna.Devices.Ata;

/// <remarks>What moves data: through the data register, by the bus master's descriptors, and at the back end.</remarks>
public sealed partial class IdeChannel
{
    private void Proceed(in TaskFile file, in Transfer transfer, bool dma, int blockSize)
    {
        (_kind, _offset, _left, _flushAfter) = (transfer.Kind, transfer.Offset, transfer.Length, transfer.FlushAfter);
        _blockSize = blockSize;
        if (_kind == TransferKind.None)
        {
            _phase = Phase.Idle;
            Answer(Selected, file);
            Raise();
            return;
        }
        (_filled, _position, _blockEnd) = (0, 0, 0);
        if (_kind == TransferKind.Flush)
            StartBackend(0);
        else if (dma)
        {
            _phase = Phase.DmaWait;
            _drives[Selected].Status = AtaBits.DRDY | AtaBits.DRQ;
            TryDma();
        }
        else if (_kind == TransferKind.In)
        {
            Drive!.Buffer.AsSpan(0, (int)_left).CopyTo(_data);
            _filled = (int)_left;
            _left = 0;
            NextBlock(first: true);
        }
        else if (_kind == TransferKind.Read)
            Fill();
        else
            NextBlock(first: true);
    }

    /// <summary>Reads what comes next into the buffer.</summary>
    private void Fill()
    {
        // Blocks of the data register divide the buffer, but for those of packet commands, which say how long they are.
        uint n = Math.Min(_left, BufferSize);
        _filled = (int)n;
        _position = 0;
        StartBackend(n);
    }

    /// <summary>Offers the host the next data block, or ends the command.</summary>
    private void NextBlock(bool first)
    {
        ref Registers r = ref _drives[Selected];
        bool read = _kind is TransferKind.In or TransferKind.Read;
        if (read && _position == _filled)
        {
            if (_left != 0)
                Fill();
            else
                EndOfData();
            return;
        }
        int room = read ? _filled - _position : (int)Math.Min(_left - (uint)_filled, (uint)(BufferSize - _filled));
        int size = Math.Min(_blockSize, room);
        _phase = read ? Phase.DataIn : Phase.DataOut;
        _blockEnd = _position + size;
        r.Status = AtaBits.DRDY | AtaBits.DRQ | AtaBits.SeekComplete;
        if (_command == AtaCommand.PACKET)
        {
            r.Status = AtaBits.DRDY | AtaBits.DRQ;
            r.Count = read ? AtaBits.IO : (byte)0;
            (r.Mid, r.High) = ((byte)size, (byte)(size >> 8));
        }
        // The host looks for the first block of a write itself.
        if (read || !first || _command == AtaCommand.PACKET)
            Raise();
    }

    /// <summary>All data has been read. A packet command's end is told, that of others is not.</summary>
    private void EndOfData()
    {
        var transfer = new Transfer(_kind);
        TaskFile file = Command();
        Drive!.End(ref file, transfer, BlockStatus.Ok);
        _phase = Phase.Idle;
        _kind = TransferKind.None;
        Answer(Selected, file);
        if (_command == AtaCommand.PACKET)
            Raise();
    }

    private ushort ReadData(int bytes)
    {
        if (_phase != Phase.DataIn)
            return bytes == 1 ? Nothing : (ushort)(0xff00 | Nothing);
        // A block of odd length is read in words all the same.
        int value = _data[_position++];
        if (bytes == 2 && _position < _blockEnd)
            value |= _data[_position++] << 8;
        if (_position == _blockEnd)
            NextBlock(first: false);
        return (ushort)value;
    }

    private void WriteData(ushort value, int bytes)
    {
        if (_phase is not (Phase.DataOut or Phase.Packet))
            return;
        _data[_position++] = (byte)value;
        if (bytes == 2 && _position < _blockEnd)
            _data[_position++] = (byte)(value >> 8);
        if (_position != _blockEnd)
            return;
        if (_phase == Phase.Packet)
        {
            Packet();
            return;
        }
        _filled = _position;
        if ((uint)_filled == _left || BufferSize - _filled < _blockSize)
            StartBackend((uint)_filled);
        else
            NextBlock(first: false);
    }

    private void Packet()
    {
        ref Registers r = ref _drives[Selected];
        TaskFile file = Command();
        bool dma = (r.Feature & 1) != 0;
        int limit = r.Mid | r.High << 8;
        Transfer transfer = Drive!.Packet(ref file, _data.AsSpan(0, PacketSize));
        // Byte count limit (section 7.18.4): even unless it holds everything.
        limit = limit is 0 or 0xffff ? 0xfffe : limit == 1 ? 2 : limit & ~1;
        Proceed(file, transfer, dma, limit);
    }

    /// <summary>Begins the DMA of a command once the bus master is started (Bus Master IDE, section 3.1).</summary>
    private void TryDma()
    {
        if (_phase != Phase.DmaWait || (_bmCommand & SSBM) == 0 || !_busMaster)
            return;
        bool writable = _kind is TransferKind.In or TransferKind.Read;
        DmaBuffer buffer = _request.Buffer;
        buffer.Clear();
        Span<byte> prd = stackalloc byte[PrdSize];
        bool good = true;
        uint at = _prdTable;
        for (bool last = false; !last && good && buffer.Length < _left; at += PrdSize)
        {
            good = _memory.Read(at, prd);
            uint address = BinaryPrimitives.ReadUInt32LittleEndian(prd) & ~1u, length = BinaryPrimitives.ReadUInt32LittleEndian(prd[4..]);
            last = (length & 1u << 31) != 0;
            length &= 0xfffe;
            good = good && buffer.Add(_memory, address, Math.Min(length == 0 ? 0x1_0000 : length, _left - buffer.Length), writable);
        }
        if (!good || buffer.Length < _left && Drive is not { IsPacket: true } || buffer.Length % 512 != 0 && _kind == TransferKind.Read)
        {
            buffer.Clear();
            _bmStatus |= IDEDMAE;
            EndDma(BlockStatus.IoError);
            return;
        }
        _left = buffer.Length;
        switch (_kind)
        {
            case TransferKind.In:
                buffer.Write(0, Drive!.Buffer.AsSpan(0, (int)_left));
                buffer.Clear();
                EndDma(BlockStatus.Ok);
                break;
            case TransferKind.Out:
                Drive!.Buffer.AsSpan().Clear();
                buffer.Read(0, Drive.Buffer.AsSpan(0, (int)Math.Min(_left, AtaDevice.BufferSize)));
                Start();
                _request.Start(Drive.AcceptAsync(_command, (int)Math.Min(_left, AtaDevice.BufferSize)), dma: true);
                break;
            default:
                Start();
                if (Drive!.Medium is { } medium)
                    _request.Start(medium, new Transfer(_kind, _offset, _left, _flushAfter));
                else
                    _request.Start(new ValueTask<BlockStatus>(BlockStatus.IoError), dma: true);
                break;
        }
    }

    /// <summary>Moves so many bytes between buffer and medium, or gives parameters to the drive, or flushes.</summary>
    private void StartBackend(uint bytes)
    {
        AtaDevice drive = Drive!;
        Start();
        if (_kind == TransferKind.Out)
        {
            drive.Buffer.AsSpan().Clear();
            _data.AsSpan(0, (int)Math.Min(bytes, AtaDevice.BufferSize)).CopyTo(drive.Buffer);
            _request.Start(drive.AcceptAsync(_command, (int)bytes), dma: false);
            return;
        }
        if (drive.Medium is not { } medium)
        {
            _request.Start(new ValueTask<BlockStatus>(BlockStatus.IoError), dma: false);
            return;
        }
        _reads.Clear();
        _writes.Clear();
        if (_kind == TransferKind.Read)
            _reads.Add(_data.AsMemory(0, (int)bytes));
        else
            _writes.Add(_data.AsMemory(0, (int)bytes));
        _request.Start(_kind switch
        {
            TransferKind.Read => medium.ReadAsync(_offset, _reads),
            TransferKind.Write => medium.WriteAsync(_offset, _writes),
            _ => medium.FlushAsync(),
        }, dma: false);
    }

    private void Start()
    {
        _phase = Phase.Busy;
        _drives[Selected].Status = AtaBits.BSY | AtaBits.DRDY;
        _request.Epoch = _epoch;
        _work.Begin();
    }

    private void EndDma(BlockStatus status)
    {
        TaskFile file = Command();
        Drive!.End(ref file, new Transfer(_kind), status);
        _phase = Phase.Idle;
        _kind = TransferKind.None;
        _bmStatus &= unchecked((byte)~BMIDEA);
        Answer(Selected, file);
        Raise();
    }

    private void Completed(Request request, BlockStatus status)
    {
        lock (_lock)
        {
            request.Buffer.Clear();
            if (request.Epoch == _epoch)
                Completed(request.Dma, status);
            else if (_resetPending)
            {
                _resetPending = false;
                SoftReset();
            }
        }
        _work.End();
    }

    private void Completed(bool dma, BlockStatus status)
    {
        if (dma || status != BlockStatus.Ok || _kind is TransferKind.Flush or TransferKind.Out)
        {
            EndDma(status);
            return;
        }
        _offset += (uint)_filled;
        _left -= (uint)_filled;
        if (_kind == TransferKind.Read)
        {
            NextBlock(first: true);
            return;
        }
        (_filled, _position, _blockEnd) = (0, 0, 0);
        if (_left != 0)
            NextBlock(first: false);
        else if (_flushAfter)
        {
            _flushAfter = false;
            _kind = TransferKind.Flush;
            StartBackend(0);
        }
        else
            EndDma(BlockStatus.Ok);
    }

    private sealed class Request(IdeChannel channel) : StorageRequest
    {
        public int Epoch { get; set; }
        public bool Dma { get; private set; }

        public void Start(IBlockBackend medium, in Transfer transfer)
        {
            Dma = true;
            Begin(medium, transfer);
        }

        public void Start(ValueTask<BlockStatus> work, bool dma)
        {
            Dma = dma;
            Begin(work);
        }

        protected override void Ended(BlockStatus status) => channel.Completed(this, status);
    }
}
