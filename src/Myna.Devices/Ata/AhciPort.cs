using System.Buffers.Binary;
using System.Numerics;
using Myna.Devices.Storage;
using Myna.Hardware.Backends;
using Myna.Hardware.State;

namespace Myna.Devices.Ata;

/// <summary>A port of an <see cref="Ahci"/> with its registers and its command list (AHCI 1.3.1, sections 3.3 and 5.3). Under the controller's lock.</summary>
[Stateful("ahci-port")]
internal sealed partial class AhciPort
{
    private const int Slots = 32, HeaderSize = 32, PacketPlace = 0x40, PrdtPlace = 0x80, PrdSize = 16;
    private const uint NoSignature = uint.MaxValue, NoDevice = 0x7f;

    // PxSSTS: 3 Gb/s, active.
    private const uint LinkUp = 0x123;

    private readonly Ahci _hba;
    private readonly int _number;
    [NotSaved("nothing is under way when state is saved")] private readonly AhciCommand[] _commands = new AhciCommand[Slots];

    [Saved(1)] private ulong _clb;
    [Saved(2)] private ulong _fb;
    [Saved(3)] private uint _is;
    [Saved(4)] private uint _ie;
    [Saved(5)] private uint _cmd;
    [Saved(6)] private uint _tfd;
    [Saved(7)] private uint _sig;
    [Saved(8)] private uint _ssts;
    [Saved(9)] private uint _sctl;
    [Saved(10)] private uint _serr;
    [Saved(11)] private uint _sact;
    [Saved(12)] private uint _ci;

    // The slot whose command was begun last.
    [Saved(13)] private int _slot;

    // An error stops the list until software clears PxCMD.ST.
    [Saved(14)] private bool _stopped;

    // The first half of a software reset has come.
    [Saved(15)] private bool _inReset;

    // The signature waits for PxCMD.FRE.
    [Saved(16)] private bool _signaturePending;

    [Saved(17)] private readonly AtaDevice? _device;

    [NotSaved("commands under way, a bit each; drained before saving")] private uint _started;
    [NotSaved("the life of the command list; commands of earlier ones are forgotten")] private int _epoch;
    [NotSaved("commands of any life at their back end")] private int _inFlight;
    [NotSaved("those of earlier lives, which may use the drive's buffer; drained before saving")] private int _stale;
    [NotSaved("this thread is in Run")] private bool _running;

    public AhciPort(Ahci hba, int number, AtaDevice? device)
    {
        _hba = hba;
        _number = number;
        _device = device;
        for (int i = 0; i < Slots; i++)
            _commands[i] = new AhciCommand(this, i);
        PowerOn();
    }

    public AtaDevice? Device => _device;

    /// <summary>It wants an interrupt.</summary>
    public bool Pending => (Status & _ie) != 0;

    // Two bits of PxIS show bits of PxSERR.
    private uint Status => _is | ((_serr & PortRegister.DiagX) != 0 ? PortRegister.PCS : 0) | ((_serr & PortRegister.DiagN) != 0 ? PortRegister.PRCS : 0);

    public void PowerOn()
    {
        (_clb, _fb) = (0, 0);
        _device?.Reset();
        HostReset();
    }

    /// <summary>A reset of the controller: the addresses stay.</summary>
    public void HostReset()
    {
        _is = _ie = _sctl = 0;
        _cmd = PortRegister.SUD | PortRegister.POD;
        _slot = 0;
        Forget();
        ComReset();
        _serr = 0;
    }

    public uint Read(int offset) => offset switch
    {
        PortRegister.PxCLB => (uint)_clb,
        PortRegister.PxCLBU => (uint)(_clb >> 32),
        PortRegister.PxFB => (uint)_fb,
        PortRegister.PxFBU => (uint)(_fb >> 32),
        PortRegister.PxIS => Status,
        PortRegister.PxIE => _ie,
        PortRegister.PxCMD => _cmd | (uint)_slot << 8 | ((_cmd & PortRegister.FRE) != 0 ? PortRegister.FR : 0)
            // Commands of an earlier life may still write memory: the list has not stopped before that.
            | ((_cmd & PortRegister.ST) != 0 || _inFlight != 0 ? PortRegister.CR : 0),
        PortRegister.PxTFD => _tfd,
        PortRegister.PxSIG => _sig,
        PortRegister.PxSSTS => _ssts,
        PortRegister.PxSCTL => _sctl,
        PortRegister.PxSERR => _serr,
        PortRegister.PxSACT => _sact,
        PortRegister.PxCI => _ci,
        _ => 0,
    };

    /// <param name="value">The bytes written, zero elsewhere.</param>
    /// <param name="mask">Which bits were written.</param>
    public void Write(int offset, uint value, uint mask)
    {
        uint whole = Read(offset) & ~mask | value;
        switch (offset)
        {
            case PortRegister.PxCLB:
                _clb = _clb & ~0xffff_fffful | whole & 0xffff_fc00;
                break;
            case PortRegister.PxCLBU:
                _clb = (uint)_clb | (ulong)whole << 32;
                break;
            case PortRegister.PxFB:
                _fb = _fb & ~0xffff_fffful | whole & 0xffff_ff00;
                break;
            case PortRegister.PxFBU:
                _fb = (uint)_fb | (ulong)whole << 32;
                break;
            case PortRegister.PxIS:
                _is &= ~value;
                _hba.UpdateInterrupt();
                break;
            case PortRegister.PxIE:
                _ie = whole & PortRegister.AllInterrupts;
                _hba.UpdateInterrupt();
                break;
            case PortRegister.PxCMD:
                WriteCommand(whole);
                break;
            case PortRegister.PxSCTL:
                WriteControl(whole & 0xfff);
                break;
            case PortRegister.PxSERR:
                _serr &= ~value;
                _hba.UpdateInterrupt();
                break;
            case PortRegister.PxSACT when (_cmd & PortRegister.ST) != 0:
                _sact |= value;
                break;
            case PortRegister.PxCI when (_cmd & PortRegister.ST) != 0:
                _ci |= value;
                Run();
                break;
        }
    }

    /// <summary>Begins what software has issued, as far as it can be begun.</summary>
    public void Run()
    {
        if (_running)
            return;
        _running = true;
        while ((_cmd & PortRegister.ST) != 0 && !_stopped && _device is not null && _stale == 0 && _hba.BusMaster && (_ci & ~_started) is var ready && ready != 0 && TryBegin(ready))
        {
        }
        _running = false;
    }

    /// <summary>A command has come back from its back end. Any thread.</summary>
    public void Complete(AhciCommand command, BlockStatus status)
    {
        lock (_hba.Lock)
        {
            _inFlight--;
            command.UnderWay = false;
            if (command.Epoch == _epoch)
            {
                _device!.End(ref command.Registers, command.Transfer, status);
                Finish(command, status == BlockStatus.Ok ? command.Transfer.Length : 0);
            }
            else
                _stale--;
            command.Buffer.Clear();
            // Also for a command list of a new life that waited for the slot.
            Run();
        }
        _hba.Finished();
    }

    private void WriteCommand(uint value)
    {
        const uint Icc = 0xf000_0000;
        uint before = _cmd;
        _cmd = value & PortRegister.WritableCommand & ~Icc;
        if ((value & PortRegister.CLO) != 0 && (before & PortRegister.ST) == 0)
            _tfd &= ~(uint)(AtaBits.BSY | AtaBits.DRQ);
        if ((before & ~_cmd & PortRegister.ST) != 0)
            Forget();
        if (_signaturePending && (_cmd & PortRegister.FRE) != 0)
            PostSignature();
        if ((_cmd & ~before & PortRegister.ST) != 0)
            Run();
    }

    /// <summary>Section 3.3.11, and 10.4.2 for the reset: DET of 1 holds the line in reset, 4 switches it off.</summary>
    private void WriteControl(uint value)
    {
        uint before = _sctl & 0xf, after = value & 0xf;
        _sctl = value;
        if (after == before)
            return;
        if (after is 1 or 4)
        {
            Forget();
            _ssts = after == 4 ? 4u : 0;
            _tfd = NoDevice;
        }
        else if (after == 0)
        {
            ComReset();
            if (_device is not null)
                _serr |= PortRegister.DiagX | PortRegister.DiagN;
            _hba.UpdateInterrupt();
        }
    }

    /// <summary>The line comes up, and the device sends its signature.</summary>
    private void ComReset()
    {
        _inReset = false;
        _signaturePending = _device is not null;
        _ssts = _device is null ? 0 : LinkUp;
        _sig = NoSignature;
        _tfd = NoDevice;
        if (_device is null)
            return;
        _device.BusReset();
        var file = new TaskFile();
        _device.Signature(ref file);
        SetTaskFile(file);
        _sig = (uint)file.Lba << 8 | file.Count;
        if ((_cmd & PortRegister.FRE) != 0)
            PostSignature();
    }

    /// <summary>Commands issued so far are forgotten.</summary>
    private void Forget()
    {
        _epoch++;
        _stale = _inFlight;
        _started = _ci = _sact = 0;
        _stopped = false;
        // What was under way is taken for aborted.
        _tfd &= ~(uint)(AtaBits.BSY | AtaBits.DRQ);
    }

    /// <returns>Whether another command may be begun.</returns>
    private bool TryBegin(uint ready)
    {
        // In turn, so that none waits for ever.
        uint later = ready & (_slot == Slots - 1 ? 0 : uint.MaxValue << _slot + 1);
        int slot = BitOperations.TrailingZeroCount(later != 0 ? later : ready);
        AhciCommand command = _commands[slot];
        if (command.UnderWay)
            return false;
        Span<byte> header = stackalloc byte[16], table = stackalloc byte[PacketPlace + 16];
        command.Header = _clb + (ulong)slot * HeaderSize;
        if (!_hba.Memory.Read(command.Header, header))
            return Fatal($"port {_number}: no RAM at its command list, 0x{_clb:x}");
        uint flags = BinaryPrimitives.ReadUInt32LittleEndian(header);
        ulong tableAddress = BinaryPrimitives.ReadUInt64LittleEndian(header[8..]) & ~0x7ful;
        if (!_hba.Memory.Read(tableAddress, table))
            return Fatal($"port {_number}: no RAM at the command table 0x{tableAddress:x}");
        if (table[0] != Fis.RegisterH2D)
            return Fatal($"port {_number}: a command of type 0x{table[0]:x}");
        if ((table[1] & Fis.Command) == 0)
        {
            _slot = slot;
            Control(slot, table[15]);
            return true;
        }
        bool queued = AtaCommand.IsQueued(table[2]);
        // Queued and other commands do not mix.
        if (!queued && _started != 0 || queued && (_tfd & AtaBits.BSY) != 0)
            return false;
        _slot = slot;
        command.Registers = new TaskFile
        {
            Command = table[2],
            Feature = (ushort)(table[3] | table[11] << 8),
            Lba = BinaryPrimitives.ReadUInt32LittleEndian(table[4..]) & 0xff_ffffu | (ulong)(BinaryPrimitives.ReadUInt32LittleEndian(table[8..]) & 0xff_ffff) << 24,
            Device = table[7],
            Count = BinaryPrimitives.ReadUInt16LittleEndian(table[12..]),
        };
        Begin(command, flags, tableAddress, table[PacketPlace..]);
        return true;
    }

    private void Begin(AhciCommand command, uint flags, ulong table, ReadOnlySpan<byte> packet)
    {
        command.Epoch = _epoch;
        _started |= 1u << command.Slot;
        if (command.Queued)
            _ci &= ~(1u << command.Slot);
        else
            _tfd = _tfd & ~0xffu | AtaBits.BSY | AtaBits.DRDY;
        AtaDevice device = _device!;
        Transfer transfer = command.Registers.Command == AtaCommand.PACKET && device.IsPacket
            ? device.Packet(ref command.Registers, packet)
            : device.Begin(ref command.Registers, queued: true);
        if (transfer.Kind == TransferKind.None)
        {
            Finish(command, 0);
            return;
        }
        if (transfer.Kind != TransferKind.Flush && !Gather(command, ref transfer, (int)(flags >> 16), table + PrdtPlace))
            return;
        command.Transfer = transfer;
        switch (transfer.Kind)
        {
            case TransferKind.In:
                int sent = command.Buffer.Write(0, device.Buffer.AsSpan(0, (int)transfer.Length));
                command.Buffer.Clear();
                device.End(ref command.Registers, transfer, BlockStatus.Ok);
                Finish(command, (uint)sent);
                break;
            case TransferKind.Out:
                device.Buffer.AsSpan().Clear();
                _ = command.Buffer.Read(0, device.Buffer.AsSpan(0, (int)transfer.Length));
                Start(command);
                command.Start(device.AcceptAsync(command.Registers.Command, (int)transfer.Length));
                break;
            default:
                Start(command);
                if (device.Medium is { } medium)
                    command.Start(medium);
                else
                    command.Start(new ValueTask<BlockStatus>(BlockStatus.IoError));
                break;
        }
    }

    private void Start(AhciCommand command)
    {
        command.UnderWay = true;
        _inFlight++;
        _hba.Started();
    }

    /// <summary>Finds the memory of a transfer in the physical region descriptor table (section 4.2.3.3).</summary>
    /// <returns>False after an error, which has been reported.</returns>
    private bool Gather(AhciCommand command, ref Transfer transfer, int entries, ulong at)
    {
        bool writable = transfer.Kind is TransferKind.In or TransferKind.Read;
        Span<byte> prd = stackalloc byte[PrdSize];
        command.Buffer.Clear();
        for (int i = 0; i < entries && command.Buffer.Length < transfer.Length; i++, at += PrdSize)
        {
            ulong address = 0;
            uint length = 0;
            if (_hba.Memory.Read(at, prd))
            {
                address = BinaryPrimitives.ReadUInt64LittleEndian(prd) & ~1ul;
                length = Math.Min((BinaryPrimitives.ReadUInt32LittleEndian(prd[12..]) & 0x3f_ffff | 1) + 1, transfer.Length - command.Buffer.Length);
            }
            if (length == 0 || !command.Buffer.Add(_hba.Memory, address, length, writable))
            {
                command.Buffer.Clear();
                return Fatal($"port {_number}: a transfer at 0x{address:x}, which is not RAM");
            }
        }
        if (command.Buffer.Length >= transfer.Length)
            return true;
        // A packet command may ask for more than it has memory for.
        if (_device!.IsPacket && (transfer.Kind is TransferKind.In or TransferKind.Out || command.Buffer.Length % AtaDevice.SectorSize == 0) && command.Buffer.Length != 0)
        {
            transfer = transfer with { Length = command.Buffer.Length };
            return true;
        }
        command.Buffer.Clear();
        _is |= PortRegister.OFS;
        return Fatal($"port {_number}: memory for {command.Buffer.Length} of {transfer.Length} bytes");
    }

    /// <summary>A control frame: software reset (section 10.4.1), which the second frame ends.</summary>
    private void Control(int slot, byte control)
    {
        _ci &= ~(1u << slot);
        bool reset = (control & AtaBits.SRST) != 0;
        if (!reset && _inReset)
        {
            _device!.BusReset();
            var file = new TaskFile();
            _device.Signature(ref file);
            SetTaskFile(file);
            _sig = (uint)file.Lba << 8 | file.Count;
            PostRegisters(file, interrupt: false);
        }
        _inReset = reset;
    }

    /// <summary>A command has ended: its registers go to the host.</summary>
    private void Finish(AhciCommand command, uint transferred)
    {
        uint bit = 1u << command.Slot;
        bool failed = (command.Registers.Status & AtaBits.ERR) != 0;
        _started &= ~bit;
        if (command.Queued)
        {
            FinishQueued(command, failed);
            return;
        }
        Span<byte> count = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(count, transferred);
        _ = _hba.Memory.Write(command.Header + 4, count);
        SetTaskFile(command.Registers);
        if (failed)
            _stopped = true;
        else
            _ci &= ~bit;
        bool pioIn = !failed && !AtaCommand.IsDma(command.Registers.Command) && command.Registers.Command != AtaCommand.PACKET && command.Transfer.Kind is TransferKind.In or TransferKind.Read && transferred != 0;
        if (pioIn && !failed)
            PostPioSetup(command.Registers, transferred);
        else
            PostRegisters(command.Registers, interrupt: true);
        if (failed)
            _is |= PortRegister.TFES;
        _hba.UpdateInterrupt();
    }

    /// <summary>The end of a queued command is a Set Device Bits frame (SATA 3.0, section 13.6.3). After an error the drive has aborted the others.</summary>
    private void FinishQueued(AhciCommand command, bool failed)
    {
        if (_stopped)
            return;
        uint tag = 1u << (command.Registers.Count >> 3 & 31);
        _tfd = (uint)(command.Registers.Error << 8 | command.Registers.Status & ~AtaBits.BSY);
        if (failed)
        {
            _stopped = true;
            _is |= PortRegister.TFES;
        }
        else
            _sact &= ~tag;
        Span<byte> fis = stackalloc byte[8];
        (fis[0], fis[1], fis[2], fis[3]) = (Fis.SetDeviceBits, Fis.Interrupt, (byte)(command.Registers.Status & 0x77), command.Registers.Error);
        BinaryPrimitives.WriteUInt32LittleEndian(fis[4..], failed ? 0 : tag);
        Post(Fis.SetDeviceBitsPlace, fis);
        _is |= PortRegister.SDBS;
        _hba.UpdateInterrupt();
    }

    private void PostSignature()
    {
        _signaturePending = false;
        var file = new TaskFile();
        _device!.Signature(ref file);
        PostRegisters(file, interrupt: false);
    }

    private void PostRegisters(in TaskFile file, bool interrupt)
    {
        Span<byte> fis = stackalloc byte[20];
        fis.Clear();
        Registers(fis, file, Fis.RegisterD2H, interrupt ? Fis.Interrupt : (byte)0);
        Post(Fis.RegisterPlace, fis);
        if (interrupt)
            _is |= PortRegister.DHRS;
    }

    private void PostPioSetup(in TaskFile file, uint length)
    {
        Span<byte> fis = stackalloc byte[20];
        fis.Clear();
        Registers(fis, file, Fis.PioSetup, Fis.Interrupt | Fis.Direction);
        fis[2] |= AtaBits.DRQ;
        fis[15] = file.Status;
        BinaryPrimitives.WriteUInt16LittleEndian(fis[16..], (ushort)length);
        Post(Fis.PioSetupPlace, fis);
        _is |= PortRegister.PSS;
    }

    private static void Registers(Span<byte> fis, in TaskFile file, byte type, byte flags)
    {
        (fis[0], fis[1], fis[2], fis[3], fis[7]) = (type, flags, file.Status, file.Error, file.Device);
        for (int i = 0; i < 3; i++)
        {
            fis[4 + i] = (byte)(file.Lba >> i * 8);
            fis[8 + i] = (byte)(file.Lba >> 24 + i * 8);
        }
        BinaryPrimitives.WriteUInt16LittleEndian(fis[12..], file.Count);
    }

    /// <summary>Puts a frame into the received FIS structure.</summary>
    private void Post(int place, ReadOnlySpan<byte> fis)
    {
        if ((_cmd & PortRegister.FRE) != 0 && _hba.BusMaster)
            _ = _hba.Memory.Write(_fb + (ulong)place, fis);
    }

    private void SetTaskFile(in TaskFile file) => _tfd = (uint)(file.Error << 8 | file.Status);

    /// <summary>A host bus error that stops the list (section 6.1.1).</summary>
    private bool Fatal(string mistake)
    {
        _hba.Log.Guest(mistake);
        _stopped = true;
        _is |= PortRegister.HBFS;
        _hba.UpdateInterrupt();
        return false;
    }

    private void Sync() { }
}
