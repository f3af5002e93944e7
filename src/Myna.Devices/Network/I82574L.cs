using Myna.Devices.Pci;
using Myna.Hardware.Backends;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Network;

/// <summary>
/// Intel 82574L ("e1000e"; Intel 82574 Gigabit Ethernet Controller datasheet): PCI Express, MSI-X with its cause mapping, extended
/// and packet-split receive descriptors. LIMIT: its second pair of queues is not served, there is no receive-side scaling.
/// </summary>
[Stateful("e1000e")]
public sealed partial class I82574L : GigabitController
{
    private const int FlashBar = 1, MsixBar = 3, Vectors = 5;

    // Extended Device Control: interrupt acknowledge auto-mask, extended interrupt auto-mask (section 10.2.2.5).
    private const uint IAME = 1 << 27, EIAME = 1 << 24;

    // Receive Filter Control: extended descriptors; Software Semaphore.
    private const uint EXSTEN = 1 << 15, SMBI = 1;

    private const InterruptCause Extended = InterruptCause.RXQ0 | InterruptCause.RXQ1 | InterruptCause.TXQ0 | InterruptCause.TXQ1 | InterruptCause.OTHER;
    private const InterruptCause Others = InterruptCause.LSC | InterruptCause.RXO | InterruptCause.MDAC;

    // Causes whose message went out and that were not cleared or masked since.
    [Saved(40)] private InterruptCause _sent;

    /// <inheritdoc cref="GigabitController"/>
    /// <param name="rom">Firmware for booting from the network, or empty.</param>
    public I82574L(AddressSpace memory, INetBackend backend, ReadOnlySpan<byte> mac, ReadOnlyMemory<byte> rom = default, LogChannel? log = null)
        : base("e1000e", new PciIdentity(0x8086, 0x10d3, 0x020000, 0x00, 0x8086, 0x0000), memory, backend, mac, phyId: 0x0141_0cb1, log)
    {
        AddBar(FlashBar, 128 << 10, is64Bit: false, prefetchable: false);
        AddIoBar(2, 32);
        AddPciExpress();
        if (!rom.IsEmpty)
            AddRom(rom);
    }

    private protected override bool HasMicrowire => false;
    private protected override int IoBar => 2;
    private protected override DeviceStatus ModelStatus => BusMaster ? DeviceStatus.GioMasterEnable : 0;

    private protected override ReceiveFormat Format
        => ((ReceiveControl)this[GigabitRegister.RCTL] & ReceiveControl.DTYP) != 0 ? ReceiveFormat.PacketSplit
            : (this[GigabitRegister.RFCTL] & EXSTEN) != 0 ? ReceiveFormat.Extended : ReceiveFormat.Legacy;

    public override bool ReadBar(int bar, ulong offset, int size, out ulong value)
    {
        if (bar != FlashBar)
            return base.ReadBar(bar, offset, size, out value);
        value = ulong.MaxValue >> 64 - 8 * size;
        return true;
    }

    protected override void AttachedTo(PciHost host)
    {
        if (host.HasMsi)
            AddMsix(MsixBar, Vectors);
    }

    private protected override void ResetOwn() => _sent = 0;

    private protected override bool ReadOwn(int register, out uint value)
    {
        value = 0;
        switch (register)
        {
            case GigabitRegister.SWSM:
                // Reading takes the semaphore (section 10.2.11.1).
                value = this[register];
                this[register] = value | SMBI;
                return true;
            case GigabitRegister.FWSM:
                return true;
            default:
                return false;
        }
    }

    private protected override InterruptCause CausesOf(InterruptCause causes)
        => causes | ((causes & (InterruptCause.RXT0 | InterruptCause.RXDMT0)) != 0 ? InterruptCause.RXQ0 : 0)
            | ((causes & (InterruptCause.TXDW | InterruptCause.TXQE)) != 0 ? InterruptCause.TXQ0 : 0)
            | ((causes & Others) != 0 ? InterruptCause.OTHER : 0);

    /// <summary>ICR is cleared by a read when nothing is enabled or an interrupt was asserted (section 10.2.4.1).</summary>
    private protected override uint ReadCauses()
    {
        uint causes = this[GigabitRegister.ICR], enabled = this[GigabitRegister.IMS];
        bool asserted = (causes & enabled) != 0;
        if (enabled == 0 || asserted)
        {
            this[GigabitRegister.ICR] = 0;
            if (asserted && (this[GigabitRegister.CTRL_EXT] & IAME) != 0 && !MsixEnabled)
                this[GigabitRegister.IMS] &= ~this[GigabitRegister.IAM];
        }
        UpdateInterrupts();
        return asserted ? causes | (uint)InterruptCause.INT_ASSERTED : causes;
    }

    private protected override void UpdateInterrupts()
    {
        if (!MsixEnabled)
        {
            base.UpdateInterrupts();
            return;
        }
        SetIntx(false);
        InterruptCause pending = (InterruptCause)(this[GigabitRegister.ICR] & this[GigabitRegister.IMS]) & Extended;
        _sent &= pending;
        for (int cause = 0; cause < 5; cause++)
        {
            InterruptCause bit = (InterruptCause)((uint)InterruptCause.RXQ0 << cause);
            if ((pending & bit) != 0 && (_sent & bit) == 0)
                Send(bit, (int)(this[GigabitRegister.IVAR] >> 4 * cause & 15));
        }
    }

    private bool MsixEnabled => Msix is { Enabled: true };

    /// <summary>A cause's message, by its entry of IVAR: vector, and bit 3 for valid (section 10.2.4.9).</summary>
    private void Send(InterruptCause cause, int entry)
    {
        if ((entry & 8) == 0 || (entry & 7) >= Vectors)
            return;
        _sent |= cause;
        Msix!.Signal(entry & 7);
        if ((this[GigabitRegister.EIAC] & (uint)cause) != 0)
        {
            this[GigabitRegister.ICR] &= ~(uint)cause;
            _sent &= ~cause;
        }
        if ((this[GigabitRegister.CTRL_EXT] & EIAME) != 0)
            this[GigabitRegister.IMS] &= ~(this[GigabitRegister.IAM] & (uint)cause);
    }

    protected override void Sync() => base.Sync();
}
