using Myna.Devices.Pci;
using Myna.Devices.Storage;
using Myna.Hardware.Backends;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Sd;

/// <summary>
/// An SD host controller (SD Host Controller Simplified Specification 3.00) on PCI with one slot: programmed transfers, SDMA and ADMA2.
/// LIMIT: no 1.8 V and UHS modes, no suspend and resume, no stop at block gaps; the bus' speed and width are storage.
/// </summary>
[Stateful("sdhci")]
public sealed partial class Sdhci : PciDevice, IDrainable
{
    // Capabilities: clocks of 50 MHz, blocks of 512 bytes, ADMA2, high speed, SDMA, 3.3 V.
    private const uint CapabilityBits = 0x32 | 1 << 7 | 0x32 << 8 | 1 << 19 | 1 << 21 | 1 << 22 | 1 << 24;

    // Specification 3.00.
    private const uint Version = 2u << 16;

    private readonly Lock _lock = new();
    private readonly WorkCount _work = new();
    private readonly AddressSpace _memory;
    private readonly LogChannel _log;

    [Saved(20)] private readonly SdCard _card;
    [Saved(21)] private bool _inserted;
    [Saved(22)] private uint _systemAddress;
    [Saved(23)] private uint _blocks;
    [Saved(24)] private uint _argument;
    [Saved(25)] private uint _command;
    [Saved(26)] private readonly uint[] _response = new uint[4];
    [Saved(27)] private uint _present;
    [Saved(28)] private uint _control;
    [Saved(29)] private uint _clock;
    [Saved(30)] private uint _status;
    [Saved(31)] private uint _statusEnable;
    [Saved(32)] private uint _signalEnable;
    [Saved(33)] private uint _autoError;
    [Saved(34)] private uint _admaError;
    [Saved(35)] private ulong _admaAddress;

    /// <param name="medium">The card, a multiple of 512 KiB; null for none.</param>
    public Sdhci(AddressSpace memory, IBlockBackend? medium, LogChannel? log = null)
        : base("sdhci", new PciIdentity(0x1b36, 0x0007, 0x080501, SubsystemVendorId: 0x1af4, SubsystemId: 0x1100))
    {
        _memory = memory;
        _log = log ?? LogChannel.None;
        _card = new SdCard(medium ?? NoMedium.Instance);
        _inserted = medium is not null;
        _bufferWork = new BackendWork(Ended);
        AddBar(0, 4096, is64Bit: false, prefetchable: false);
        AddIntx();
        // Slot information: one slot, at BAR 0.
        Config.Define(0x40, 1, 0);
    }

    /// <summary>Sizes that a card may have.</summary>
    public static bool IsCard(ulong length) => length is > 0 and <= SdCard.MostCapacity && length % SdCard.CapacityUnit == 0;

    /// <summary>The size of the smallest card that holds so many bytes.</summary>
    public static ulong Capacity(ulong length) => (length + SdCard.CapacityUnit - 1) / SdCard.CapacityUnit * SdCard.CapacityUnit;

    /// <summary>The user pulls out the card and puts in another one, or none. Any thread.</summary>
    public bool ExchangeMedium(IBlockBackend? medium)
    {
        Drain();
        lock (_lock)
        {
            if (_inserted)
            {
                Abort();
                _inserted = false;
                Raise(SdhciRegister.Removal);
            }
            _card.Exchange(medium ?? NoMedium.Instance);
            _card.PowerOn();
            if (medium is not null)
            {
                _inserted = true;
                Raise(SdhciRegister.Insertion);
            }
        }
        // The old one is not used any more.
        Drain();
        return true;
    }

    /// <inheritdoc/>
    public override bool ReadBar(int bar, ulong offset, int size, out ulong value)
    {
        if (size == 8)
        {
            _ = ReadBar(bar, offset, 4, out ulong low);
            _ = ReadBar(bar, offset + 4, 4, out ulong high);
            value = low | high << 32;
            return true;
        }
        lock (_lock)
        {
            int register = (int)offset & ~3;
            value = register == SdhciRegister.DataPort ? ReadData(size)
                : (ulong)Read(register) >> (int)(offset & 3) * 8 & (1ul << size * 8) - 1;
        }
        return true;
    }

    /// <inheritdoc/>
    public override bool WriteBar(int bar, ulong offset, int size, ulong value)
    {
        if (size == 8)
        {
            _ = WriteBar(bar, offset, 4, (uint)value);
            return WriteBar(bar, offset + 4, 4, value >> 32);
        }
        int shift = (int)(offset & 3) * 8;
        uint mask = (uint)((1ul << size * 8) - 1 << shift);
        lock (_lock)
        {
            int register = (int)offset & ~3;
            if (register == SdhciRegister.DataPort)
                WriteData((uint)value, size);
            else
                Write(register, (uint)value << shift & mask, mask);
            Update();
        }
        return true;
    }

    /// <inheritdoc/>
    public override void Reset()
    {
        Drain();
        lock (_lock)
        {
            ResetAll();
            _card.PowerOn();
        }
        base.Reset();
    }

    /// <inheritdoc/>
    public void Drain() => _work.Drain();

    /// <inheritdoc/>
    protected override void Sync()
    {
        base.Sync();
        lock (_lock)
        {
            CheckTransfer();
            Update();
        }
    }

    private uint Read(int register) => register switch
    {
        SdhciRegister.SystemAddress => _systemAddress,
        SdhciRegister.Block => _blocks,
        SdhciRegister.Argument => _argument,
        SdhciRegister.Command => _command,
        >= SdhciRegister.Response and < SdhciRegister.DataPort => _response[(register - SdhciRegister.Response) / 4],
        SdhciRegister.PresentState => _present | SdhciRegister.CardStable
            // A busy card holds DAT0 low.
            | (_erasing || _stopped ? SdhciRegister.IdleLines & ~SdhciRegister.Data0 : SdhciRegister.IdleLines)
            | (_inserted ? SdhciRegister.CardInserted | SdhciRegister.CardDetectPin : 0) | (_inserted && _card.Medium.ReadOnly ? 0 : SdhciRegister.WriteEnabled),
        SdhciRegister.Control => _control,
        SdhciRegister.Clock => _clock | (_busy ? _resetting : 0),
        SdhciRegister.Status => _status | ((_status & SdhciRegister.ErrorBits) != 0 ? SdhciRegister.Error : 0),
        SdhciRegister.StatusEnable => _statusEnable,
        SdhciRegister.SignalEnable => _signalEnable,
        SdhciRegister.AutoCommand => _autoError,
        SdhciRegister.Capabilities => CapabilityBits,
        SdhciRegister.MaximumCurrent => 1,
        SdhciRegister.AdmaError => _admaError,
        SdhciRegister.AdmaAddress => (uint)_admaAddress,
        SdhciRegister.AdmaAddressHigh => (uint)(_admaAddress >> 32),
        SdhciRegister.Slot => Version | (Pending ? 1u : 0),
        _ => 0,
    };

    private void Write(int register, uint value, uint mask)
    {
        switch (register)
        {
            case SdhciRegister.SystemAddress:
                _systemAddress = _systemAddress & ~mask | value;
                // The highest byte starts a transfer that waits at a boundary (section 2.2.1).
                if ((mask & 0xff00_0000) != 0)
                    Resume();
                break;
            case SdhciRegister.Block when (_present & SdhciRegister.DataInhibit) == 0:
                _blocks = (_blocks & ~mask | value) & 0xffff_7fff;
                break;
            case SdhciRegister.Argument:
                _argument = _argument & ~mask | value;
                break;
            case SdhciRegister.Command:
                // The transfer mode is locked while data moves (section 2.2.5); the highest byte issues the command.
                uint keep = (_present & SdhciRegister.DataInhibit) != 0 ? mask & 0xffff_0000 : mask;
                _command = (_command & ~keep | value & keep) & 0x3ffb_003f;
                if ((mask & 0xff00_0000) != 0)
                    Issue();
                break;
            case SdhciRegister.Control:
                _control = (_control & ~mask | value) & 0x070f_0fff;
                if ((mask & 0xff00) != 0 && (_control & SdhciRegister.BusPower) == 0)
                {
                    Abort();
                    _card.PowerOn();
                }
                break;
            case SdhciRegister.Clock:
                WriteClock(value, mask);
                break;
            case SdhciRegister.Status:
                _status &= ~(value & SdhciRegister.StatusBits);
                break;
            case SdhciRegister.StatusEnable:
                _statusEnable = (_statusEnable & ~mask | value) & SdhciRegister.StatusBits;
                break;
            case SdhciRegister.SignalEnable:
                _signalEnable = (_signalEnable & ~mask | value) & SdhciRegister.StatusBits;
                break;
            case SdhciRegister.ForceEvent:
                _autoError |= value & 0x9f;
                if ((value & 0x9f) != 0)
                    Raise(SdhciRegister.AutoCommandError);
                Raise(value & SdhciRegister.ErrorBits & SdhciRegister.StatusBits);
                break;
            case SdhciRegister.AdmaAddress:
                _admaAddress = _admaAddress & ~(ulong)mask | value;
                break;
            case SdhciRegister.AdmaAddressHigh:
                _admaAddress = _admaAddress & ~((ulong)mask << 32) | (ulong)value << 32;
                break;
        }
    }

    private void WriteClock(uint value, uint mask)
    {
        uint clock = _clock & ~mask | value;
        // A reset takes until the card's memory is done.
        _resetting = value & (SdhciRegister.ResetAll | SdhciRegister.ResetData);
        if ((value & SdhciRegister.ResetAll) != 0)
        {
            ResetAll();
            return;
        }
        if ((value & SdhciRegister.ResetData) != 0)
        {
            Abort();
            _status &= ~(SdhciRegister.TransferComplete | SdhciRegister.DmaInterrupt | SdhciRegister.BufferReadReady | SdhciRegister.BufferWriteReady);
        }
        // The clock is stable as soon as it runs.
        _clock = clock & 0x000f_ffe5 | ((clock & SdhciRegister.InternalClock) != 0 ? SdhciRegister.InternalClockStable : 0);
    }

    /// <summary>Software reset for all: everything but the card and its detection (section 2.2.16).</summary>
    private void ResetAll()
    {
        Abort();
        (_systemAddress, _blocks, _argument, _command, _present, _control, _clock) = (0, 0, 0, 0, 0, 0, 0);
        Array.Clear(_response);
        (_status, _statusEnable, _signalEnable, _autoError, _admaError, _admaAddress) = (0, 0, 0, 0, 0, 0);
        ClearTransfer();
    }

    /// <summary>Sends the command to the card (section 3.7).</summary>
    private void Issue()
    {
        int index = (int)(_command >> SdhciRegister.CommandIndexShift & 0x3f);
        bool data = (_command & SdhciRegister.DataPresent) != 0;
        // Nothing that moves data or erases while that goes on.
        if ((data || index == 38) && (_busy || (_present & SdhciRegister.DataInhibit) != 0))
            return;
        if (!_inserted || (_control & SdhciRegister.BusPower) == 0)
        {
            Raise(SdhciRegister.CommandTimeout);
            return;
        }
        // CMD12 and a reset end what is under way; the card hears of it by the command.
        if (index is 0 or 12)
        {
            _phase = Phase.None;
            Abort();
        }
        if (data && (_command & SdhciRegister.AutoCommands) == SdhciRegister.AutoCmd23)
        {
            _ = _card.Command(23, _systemAddress, out _);
            _response[3] = _card.Response(0);
        }
        SdData kind = _card.Command(index, _argument, out bool answered);
        uint type = _command & SdhciRegister.ResponseType;
        if (!answered && type != 0)
        {
            Raise(SdhciRegister.CommandTimeout);
            return;
        }
        if (type == SdhciRegister.LongResponse)
        {
            for (int i = 0; i < 4; i++)
                _response[i] = _card.Response(i);
        }
        else if (type != 0)
            _response[0] = _card.Response(0);
        Raise(SdhciRegister.CommandComplete);
        if (kind == SdData.Erase)
            Erase();
        else if (data)
            BeginData(kind);
        else
        {
            if (kind != SdData.None)
                _card.EndTransfer();
            // The card is busy until what was under way has ended.
            _stopped = type == SdhciRegister.BusyResponse && _busy;
            if (_stopped)
                _present |= SdhciRegister.DataInhibit | SdhciRegister.DataActive;
            else if (type == SdhciRegister.BusyResponse)
                Raise(SdhciRegister.TransferComplete);
        }
    }

    /// <summary>Sets status bits that software has enabled.</summary>
    private void Raise(uint bits)
    {
        _status |= bits & _statusEnable;
        Update();
    }

    private bool Pending => (_status & _signalEnable) != 0;

    private void Update() => SetIntx(Pending);

    /// <summary>An empty slot.</summary>
    private sealed class NoMedium : IBlockBackend
    {
        public static NoMedium Instance { get; } = new();

        public ulong Length => SdCard.CapacityUnit;
        public bool ReadOnly => true;

        public ValueTask<BlockStatus> ReadAsync(ulong offset, IReadOnlyList<Memory<byte>> buffers) => new(BlockStatus.IoError);
        public ValueTask<BlockStatus> WriteAsync(ulong offset, IReadOnlyList<ReadOnlyMemory<byte>> buffers) => new(BlockStatus.IoError);
        public ValueTask<BlockStatus> FlushAsync() => new(BlockStatus.Ok);
        public ValueTask<BlockStatus> DiscardAsync(ulong offset, ulong length) => new(BlockStatus.NotSupported);
        public ValueTask<BlockStatus> WriteZeroesAsync(ulong offset, ulong length, bool unmap) => new(BlockStatus.NotSupported);
    }
}
