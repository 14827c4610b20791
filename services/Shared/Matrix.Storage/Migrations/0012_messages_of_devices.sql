-- oldest compatible version: 1
-- A message goes with its device, also one that was sent in the moment the device went.
delete from to_device_messages m where not exists (select 1 from devices d where d.user_id = m.user_id and d.device_id = m.device_id);
alter table to_device_messages add constraint to_device_messages_of_devices
    foreign key (user_id, device_id) references devices on delete cascade;
