namespace Myna.Devices.Virtio;

/// <summary>What a device needs of the bus it sits on. Called from any thread, also with queues locked.</summary>
public interface IVirtioTransport
{
    /// <summary>The device may reach guest memory.</summary>
    bool DmaEnabled { get; }

    /// <summary>A queue has used buffers.</summary>
    void QueueInterrupt(int queue);

    /// <summary>The configuration or the status changed.</summary>
    void ConfigInterrupt();

    /// <summary>The device was reset: no interrupt is pending, no vector assigned.</summary>
    void DeviceReset();
}
